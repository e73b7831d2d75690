/** Draws the charts of reports, as SVG. */
import type { Fonts } from "../fonts.ts";
import { type Cell, type Place, writer } from "./format.ts";
import type { Chart } from "./report.ts";

/** Told apart by people who see colours differently, too, and in grey. */
const COLORS = ["#2563eb", "#f59e0b", "#0f766e", "#db2777", "#7c3aed", "#65a30d", "#0891b2", "#b91c1c"];
const INK = "#334155";
const FAINT = "#e2e8f0";
const SIZE = 9;

export type Draw = (chart: Chart, width: number, place: Place) => string;

/** @param fonts for the room that labels take */
export async function loadCharts(fonts: Fonts): Promise<Draw> {
  const [
    { init, setPlatformAPI, use },
    { BarChart, LineChart, PieChart },
    { GridComponent, LegendComponent },
    {
      SVGRenderer,
    },
  ] = await Promise.all([
    import("echarts/core"),
    import("echarts/charts"),
    import("echarts/components"),
    import("echarts/renderers"),
  ]);
  use([BarChart, LineChart, PieChart, GridComponent, LegendComponent, SVGRenderer]);
  setPlatformAPI({
    measureText: (text, font) => ({ width: fonts.width(text, Number.parseFloat(font ?? "") || SIZE) }),
  });
  return (chart, width, place) => {
    const plot = init(null, null, { renderer: "svg", ssr: true, width, height: chart.height });
    try {
      plot.setOption(optionsOf(chart, place));
      return readable(plot.renderToSVGString(), fonts);
    } finally {
      plot.dispose();
    }
  };
}

function optionsOf(chart: Chart, place: Place) {
  const { kind, labels, series } = chart;
  const write = writer(chart, place);
  const textStyle = { fontFamily: "Latin", fontSize: SIZE, color: INK };
  const common = {
    animation: false,
    color: COLORS,
    textStyle,
    legend: { show: false, bottom: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, textStyle },
  };
  if (kind === "pie") {
    const values = series[0]!.values;
    const data = labels.map((name, i) => ({ name, value: values[i] ?? 0 }));
    const share = writer({ format: "percent" }, place);
    const formatter = ({ name, value, percent }: { name: string; value: unknown; percent?: number }) =>
      `${name}: ${write(value as Cell)} (${share((percent ?? 0) / 100)})`;
    return {
      ...common,
      series: [{
        type: "pie" as const,
        radius: ["38%", "68%"],
        center: ["50%", "50%"],
        data,
        itemStyle: { borderColor: "#ffffff", borderWidth: 1.5 },
        label: { ...textStyle, formatter },
        labelLine: { length: 10, length2: 8 },
      }],
    };
  }
  const legend = { ...common.legend, show: series.some(({ name }) => name !== undefined) };
  return {
    ...common,
    legend,
    grid: {
      left: 2,
      right: 12,
      top: 10,
      bottom: legend.show ? 26 : 4,
      outerBoundsMode: "same" as const,
      outerBoundsContain: "axisLabel" as const,
    },
    xAxis: {
      type: "category" as const,
      data: labels,
      boundaryGap: kind === "bar",
      axisTick: { show: false },
      axisLine: { lineStyle: { color: "#94a3b8" } },
      axisLabel: { ...textStyle, hideOverlap: true },
    },
    yAxis: {
      type: "value" as const,
      axisLabel: { ...textStyle, formatter: (value: number) => write(value) },
      splitLine: { lineStyle: { color: FAINT } },
    },
    series: series.map(({ name, values }, i) => ({
      type: kind,
      name: name ?? `${i + 1}`,
      data: values.map((value) => value ?? "-"),
      ...(chart.stacked && { stack: "all" }),
      ...(kind === "bar"
        ? { barMaxWidth: 36, barGap: "10%" }
        : { symbol: "circle", symbolSize: 4, showSymbol: labels.length <= 60, lineStyle: { width: 1.8 } }),
    })),
  };
}

/** For a reader of SVG that knows no style sheets, and one font for each element: a text becomes one for each run. */
function readable(svg: string, fonts: Fonts): string {
  return svg.replaceAll(/<style[^>]*>.*?<\/style>/gs, "").replaceAll(
    /<text ([^>]*)>([^<]*)<\/text>/g,
    (_, attributes: string, text: string) => {
      const attribute = (name: string) => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1];
      const size = Number.parseFloat(/font-size:([\d.]+)/.exec(attributes)?.[1] ?? "") || SIZE;
      const runs = fonts.runs(text);
      const widths = runs.map((run) => fonts.width(unescaped(run.text), size));
      const width = widths.reduce((sum, each) => sum + each, 0);
      const before = { start: 0, middle: 0.5, end: 1 }[attribute("text-anchor") ?? "start"] ?? 0;
      let x = Number(attribute("x") ?? 0) - before * width;
      const rest = attributes.replaceAll(
        /(?:^| )(?:x|text-anchor|xml:space)="[^"]*"|font-family:[^;"]*;?/g,
        "",
      );
      return runs.map(({ text, font }, i) => {
        const at = x;
        x += widths[i]!;
        return `<text x="${at.toFixed(2)}" font-family="${font}" ${rest}>${text}</text>`;
      }).join("");
    },
  );
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
const unescaped = (text: string) =>
  text.replaceAll(/&(\w+|#39);/g, (_, name: string) => ENTITIES[name] ?? "");
