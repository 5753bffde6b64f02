#!/bin/sh
# The table of docs/cuda-linear.md from the JSON lines of bench_codes:
#   bench_codes shapes=fc1 rows=2048,8,1 kernel=few-dp4a,few-mma,wgmma | linear_table.sh
exec awk '
function field(name,   value) {
    if (!match($0, "\"" name "\":\"?[^,\"}]*"))
        return ""
    value = substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
    sub(/^"/, "", value)
    return value
}
function either(value) {
    return value == "" ? "-" : sprintf("%.1f", value)
}
function flush() {
    if (width != "")
        printf "| %s | %s | %.1f | %s | %.1f | %.2f | %s | %s | %s | %s | %s | %s | %.1f | %s |\n",
            rows, width, fp16, kernel, us, fp16 / us, either(behind),
            behind == "" ? "-" : sprintf("%.2f", fp16 / behind), either(alone), coding,
            either(known), either(again), sums, error
    alone = behind = known = again = ""
}
BEGIN {
    print "| rows | width | fp16 | kernel | llm-int8 | fp16 / llm-int8 | behind a norm | " \
          "fp16 / that | product alone | coding x alone | columns known | codes known | " \
          "cuBLASLt int8 sums | error |"
    print "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
}
/"linear none/ { flush(); rows = field("rows"); width = field("width"); us = 0
                 fp16 = field("median_us"); next }
/"linear llm-int8/ { if (us == 0 || field("median_us") < us) {
                         us = field("median_us"); kernel = field("kernel"); error = field("error") }
                     next }
/"linear product/ { if (alone == "" || field("median_us") < alone) alone = field("median_us"); next }
/"linear behind/ { if (behind == "" || field("median_us") < behind) behind = field("median_us")
                   next }
/"linear known columns/ { known = field("median_us"); next }
/"linear known codes/ { again = field("median_us"); next }
/"linear coding/ { coding = sprintf("%.1f", field("median_us")); next }
/"linear int8/ { sums = field("median_us") }
END { flush() }'
