# Reads lines TIME,TEMPERATURE of one station; writes lines STATION,MONTH,MEAN.
$2 !~ /^-?[0-9.]+$/ {
    print FILENAME " line " FNR ": \"" $2 "\" is no temperature" > "/dev/stderr"
    bad = 1
    exit 1
}
{
    month = substr($1, 6, 2)
    sum[month] += $2
    count[month]++
}
END {
    if (bad)
        exit 1
    n = split(FILENAME, path, "/")
    station = path[n]
    sub(/\.csv$/, "", station)
    for (m = 1; m <= 12; m++) {
        month = sprintf("%02d", m)
        printf "%s,%s,%.2f\n", station, month, sum[month] / count[month] > ("/pfs/out/" station ".csv")
    }
}
