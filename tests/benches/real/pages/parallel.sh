mkdir -p index; export OMP_THREAD_LIMIT=1
ls in | parallel -j 2 --resume-failed --joblog pages.log 'mkdir -p pages/{.} text/{.} && pdftoppm -r 100 -gray -png in/{} pages/{.}/p'
find pages -name '*.png' -printf '%P\n' | parallel -j 2 --resume-failed --joblog text.log 'tesseract pages/{} text/{} 2>/dev/null'
compare in text > index/words.txt
