/** A report that has some of everything. */
export function example(image: string) {
  return {
    title: "Quarterly report · 季度报告 😀",
    author: "Ada Lovelace & Grace Hopper",
    locale: "en",
    header: { left: "{{title}}", right: "confidential" },
    sections: [
      {
        heading: "Overview – é, 中文, emoji 👩‍👩‍👧 🇩🇪 1️⃣ ❤️ 👍🏽",
        text:
          "Errand makes reports in the background. This paragraph is long enough to go over several lines, so " +
          "that the space between them can be judged: Größe, Straße, naïve façade, Ελληνικά, Кириллица, Tiếng " +
          "Việt.\n\n第二段：任务在后台运行，可以随时查询状态。日本語のテキストも。 Mixed 中英文 text with 😀 and ✓ → ★.",
        list: [
          "First",
          "A second point with a text that is certainly wider than the page, so that it goes over two lines and " +
          "has to be indented",
          "第三点 🎉",
        ],
      },
      {
        heading: "Sales by month",
        table: {
          columns: [
            { header: "Month" },
            { header: "Note", width: "fill" },
            { header: "Pieces", format: "number" },
            { header: "Sales", format: "currency", currency: "EUR" },
            { header: "Share", format: "percent", decimals: 1 },
            { header: "Date", format: "date" },
            { header: "Paid", align: "center" },
          ],
          rows: [
            ["January", "as usual", 1200, "12345.5", 0.123, "2030-01-31", true],
            ["February", "中文报告 😀", 98, -980, 0.05, "2030-02-28", false],
            ["March", null, 1234567.891, "99999999999999999.99", 1, "2030-03-31", true],
            [
              "April",
              "A_very_long_word_without_a_gap_that_can_be_broken_nowhere_0123456789",
              0,
              0,
              0,
              null,
              null,
            ],
          ],
        },
      },
      {
        heading: "Charts",
        chart: {
          kind: "bar",
          title: "Sales by quarter",
          labels: ["Q1", "Q2 中文", "Q3", "Q4 😀"],
          series: [{ name: "North", values: [120, 200, 150, 80] }, {
            name: "South 南",
            values: [60, 90, -20, 110],
          }],
          format: "currency",
          currency: "EUR",
          decimals: 0,
        },
      },
      {
        chart: {
          kind: "line",
          title: "Visits",
          labels: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
          series: [
            { name: "2029", values: [820, 932, 901, null, 1290, 1330, 1320] },
            { name: "2030", values: [620, 732, 701, 734, 1090, 1130, 1120] },
          ],
        },
      },
      {
        pageBreak: true,
        chart: {
          kind: "pie",
          title: "Where they come from",
          labels: ["Direct", "Mail", "Ads", "视频", "Search & <rest>"],
          series: [{ values: [335, 310, 234, 135, 1548] }],
        },
      },
      { heading: "An image", image: { file: image, align: "center", caption: "A square, and a circle" } },
    ],
  };
}
