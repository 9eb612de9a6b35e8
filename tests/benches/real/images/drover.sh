drover run --glob 'in/*/*.svg' --out thumbs -- sh -c 'mkdir -p {out}/$(dirname {rel}) && rsvg-convert -w 160 -h 160 -a -o {out}/{rel}.png {}'
drover run --glob 'thumbs/*/' --out sheets -- sh -c 'montage -define png:exclude-chunks=date,time -geometry 80x80+2+2 {}/*.png {out}/{/}.png'
