find in -type d | sed 's,^in,counts,' | xargs mkdir -p index
cd in && find . -name '*.gz' -print0 | xargs -0 -P 2 -I{} sh -c 'count {} > ../counts/{}.txt' && cd ..
index counts > index/words.txt
