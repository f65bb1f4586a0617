# bash alone: arrays, arithmetic, expansions, patterns, recursion in subshells, formats.
shopt -s extglob
declare -A m
while IFS=, read -r a b c; do
    m[$b]=$((${m[$b]:-0} + a))
    n=${c//[^0-9]/}
    s=$(((s * 31 + n) % 1000003))
done < <(head -600)
for k in $(printf '%s\n' "${!m[@]}" | sort -n); do printf '%d:%x ' "$k" "${m[$k]}"; done
echo; echo $s $((2 ** 62 + 3 ** 20 - 0xff)) $((-7 / 2)) $((-7 % 3)) $((1 << 63)) $((36#zz)) $((~5 ^ 77 & 0xf0))
f() { local n=$1; ((n < 2)) && echo "$n" || echo $(($(f $((n - 1))) + $(f $((n - 2))))); }
f 7
a=({z..a}); echo "${a[@]:3:5}" "${#a[@]}" "${a[@]/[aeiou]/_}" {1..20..3} {a,b}{1,2}
x=Hello.World.txt; echo "${x%.*} ${x##*.} ${x,,} ${x^^} ${x/o/0} ${x:(-3)} ${x@Q} ${#x} ${!x@}"
[[ $x =~ ^(H.*)\.(W[a-z]+) ]] && echo "${BASH_REMATCH[@]}"
case $x in @(Hello|Bye).*) echo yes;; esac
printf '%q %b %(%F %T)T %.3e %x %05.1f|%-7s|\n' 'a b' '\x41\t' 0 12345.6789 255 3.14159 abc
mapfile -t lines < <(printf 'c\nb\na\n'); printf '%s ' "${lines[@]}"
trap 'echo caught' USR1; kill -USR1 $$; (exit 5); echo $?; false | true | (exit 3); echo "${PIPESTATUS[@]}"
set -- one two three; shift; echo "$# $* $1"; getopts ab:c o -b 5; echo "$o $OPTARG"
coproc { tr a-z A-Z; }; echo through >&"${COPROC[1]}"; exec {COPROC[1]}>&-; cat <&"${COPROC[0]}"; wait; echo done
