find in -type d | sed 's,^in,thumbs,' | xargs mkdir -p sheets
cd in && find . -name '*.svg' -print0 | xargs -0 -P 2 -I{} rsvg-convert -w 160 -h 160 -a -o ../thumbs/{}.png {} && cd ..
ls thumbs | xargs -P 2 -I{} sh -c 'montage -define png:exclude-chunks=date,time -geometry 80x80+2+2 thumbs/{}/*.png sheets/{}.png'
