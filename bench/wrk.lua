-- wrk … url [body]: GET, or POST of a JSON body. Prints what happened as one line of JSON.
function init(args)
  if args[1] then
    wrk.method = "POST"
    wrk.body = args[1]
    wrk.headers["content-type"] = "application/json"
  end
end

function done(summary)
  local e = summary.errors
  io.write(string.format('\n{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout))
end
