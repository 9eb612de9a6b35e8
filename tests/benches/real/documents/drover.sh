drover run --glob 'in/*/*.gz' --out counts -- sh -c 'mkdir -p {out}/$(dirname {rel}) && count {} > {out}/{rel}.txt'
drover run --glob 'counts/' --out index -- sh -c 'index {} > {out}/words.txt'
