# Sorting, cutting, checksums, formats and factors of coreutils, on the lines of standard input.
cat > text
sort -t, -k1n -k2nr text | md5sum; sort -R --random-source=text text | sha1sum; sort -u text | wc -l; sort -c text; echo $?
shuf --random-source=text -n 5 text; cut -d, -f2,3 text | uniq -c | sort -rn | head -4
b2sum text; sha224sum text; sha384sum text; sha512sum text; cksum text; sum text; sum -s text
base32 text | tail -1; base64 text | head -2; basenc --z85 <(head -c 40 text); od -A x -t x2z -t f8 text | head -5; tac text | nl | tail -2
factor 18446744073709551557 340282366920938463463374607431768211297 1000000016000000063 123456789012345678901234567890
seq -f %.3f 1 0.37 4 | paste -sd+; seq 1e15 3e14 3e15; numfmt --to=iec-i 123456789; numfmt --from=si 7.3M
expr 123456789 \* 98765432; printf '%s\n' 3 1 2 4 | tsort; printf '%d %x %e\n' 077 -1 1e100
join -t, <(sort -t, -k1,1 text) <(sort -t, -k1,1 text) | wc; comm -12 <(sort text) <(sort -u text) | wc -l
fmt -w 50 text | pr -t -2 | head -3; fold -w 7 text | cksum; split -l 700 text part; wc -c part*; csplit -s text /77/ '{3}'; cat xx* | cmp - text
dd if=text bs=1000 skip=2 count=3 conv=ucase,swab status=none | cksum; tr a-z n-za-m < text | head -1; expand text | unexpand -a | sha256sum
stat -c '%s %F' text; date -ud @1000000000 '+%c %G-%V %j'; date -ud '2024-02-29 + 13 months' +%F; test 3 -lt 10 && [ a \< b ]; echo $?
mkdir -p d/e/f; cp text d/e; ln -s ../text d/l; mv d/e/text d/e/f/moved; chmod 640 d/e/f/moved; find d -printf '%M %p %l\n' | sort; rm -r d; ls d || echo gone
