find in -type d | sed 's,^in,counts,' | xargs mkdir -p index
find in -name '*.gz' -printf '%P\n' | parallel -j 2 --resume-failed --joblog counts.log 'count in/{} > counts/{}.txt'
index counts > index/words.txt
