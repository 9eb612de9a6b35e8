find in -type d | sed 's,^in,thumbs,' | xargs mkdir -p sheets
find in -name '*.svg' -printf '%P\n' | parallel -j 2 --resume-failed --joblog thumbs.log rsvg-convert -w 160 -h 160 -a -o thumbs/{}.png in/{}
ls thumbs | parallel -j 2 --resume-failed --joblog sheets.log montage -define png:exclude-chunks=date,time -geometry 80x80+2+2 'thumbs/{}/*.png' sheets/{}.png
