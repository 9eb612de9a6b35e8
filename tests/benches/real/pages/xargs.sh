mkdir -p index; export OMP_THREAD_LIMIT=1
ls in | sed 's/\.pdf$//' | xargs -P 2 -I{} sh -c 'mkdir -p pages/{} text/{} && pdftoppm -r 100 -gray -png in/{}.pdf pages/{}/p'
cd pages && find . -name '*.png' -print0 | xargs -0 -P 2 -I{} sh -c 'tesseract {} ../text/{} 2>/dev/null' && cd ..
compare in text > index/words.txt
