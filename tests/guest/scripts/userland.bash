# What Debian's bash and coreutils make of arrays, arithmetic, text, numbers and files.
export LC_ALL=C TZ=UTC
work=/tmp/userland
rm -rf $work
mkdir $work
cd $work || exit

echo '== bash'
declare -a squares
for ((n = 0; n < 800; n++)); do squares[n * 3]=$((n * n)); done
indices=("${!squares[@]}")
echo "${#squares[@]} ${squares[*]:15:6} ${indices[*]:3:4} ${squares[-1]}"
declare -A words
for word in to be or not to be that is the question to; do
	((words[$word]++))
done
for word in $(printf '%s\n' "${!words[@]}" | sort); do
	echo -n "$word=${words[$word]} "
done
echo
echo $((2 ** 62 + 3)) $((0x7fffffffffffffff + 1)) $((-7 / 2)) $((-7 % 3)) $((36#zz)) $((5 ? 8#17 : 2))
text='The Quick Brown Fox'
echo "${text,,} ${text^^} ${text// /_} ${text#* } ${text##* } ${text%% *} ${text: -3:2} ${#text}"
[[ $text =~ ([A-Z])([a-z]+)\ (Q[a-z]*) ]] && printf '%q ' "${BASH_REMATCH[@]}" && echo
printf '%05d|%x|%-6s|%6.2f|%e|%s|%b|%(%Y-%m-%d)T\n' 42 255 ab 3.14159 12345.678 end '\x41' 0
fib() { (($1 < 2)) && echo "$1" || echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); }
fib 9
mapfile -t lines < <(seq 1 500)
echo "${#lines[@]} ${lines[499]}"
total=0
while read -r number; do ((total += number)); done < <(seq 3000)
echo $total
shopt -s extglob globstar
touch a.txt b.txt c.log
echo {a..e} !(*.txt) @(a|b).txt {1..3}{x,y} {10..1..3}
cat <<<"here $((6 * 7)) $(echo nested "$(echo twice)")" | while IFS= read -r line; do echo "[$line]"; done
trap 'echo exit trap' EXIT
trap 'echo caught USR1' USR1
kill -USR1 $$
(exit 42) || echo "status $?"
false | true | false
echo "${PIPESTATUS[*]}"
coproc double { while read -r n; do echo $((n * 2)); done; }
for n in 21 34; do
	echo $n >&"${double[1]}"
	read -r answer <&"${double[0]}"
	echo "$answer"
done
exec {double[1]}>&-
for n in {1..40}; do (echo $((n * n)) >file.$n) & done
wait
cat file.* | sort -n | tail -2
case abcXdef in *[[:upper:]]*) echo upper ;;& abc*) echo begins ;; esac
getopt_test() { while getopts 'ab:' option; do echo -n "$option:${OPTARG-} "; done; echo; }
getopt_test -a -b value
declare -i integer=5*8
local_test() { local -n reference=$1; reference+=2; }
local_test integer
echo "$integer $BASH_VERSION ${BASH_VERSINFO[5]}"

echo '== coreutils'
seq 1 2000 | factor | md5sum
factor 18446744073709551557 1208925819614629174706189
awk 'BEGIN { for (x = n = 1; n <= 6000; n++) { x = (x * 16807) % 2147483647; print x, n % 37, x / 7 } }' >table
for digest in md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum; do
	$digest table
done
sha256sum table >sums
sha256sum -c sums
sort table | sha256sum
sort -n -k2,2 -k1,1r table | sha256sum
sort -g -k3 table | sha256sum
sort -S 200K --parallel=4 -R --random-source=table table | sort -c 2>/dev/null || echo shuffled
sort -h <(printf '%s\n' 5G 12K 3M 900 1T) | paste -sd,
sort -V <(printf '%s\n' v1.10 v1.9 v1.2-rc1) | paste -sd,
cut -d ' ' -f 2 table | sort | uniq -c | sort -rn | head -3
numfmt --to=iec 1023 1024 123456789 | paste -sd' '
numfmt --to=si --format='%.3f' 123456789
numfmt --from=iec 1.5G 10K | paste -sd' '
shuf --random-source=table -n 5 table | sha256sum
split -n l/5 table part. && cat part.* | cmp - table && wc -l part.* | tail -1
csplit -s table 100 200 && wc -l xx* | head -2
join -j 1 <(seq 1 9 | sed 's/$/ a/') <(seq 2 2 9 | sed 's/$/ b/')
comm -12 <(seq 1 3 30 | sort) <(seq 1 2 30 | sort) | paste -sd,
tsort <<<'a b b c a d d c'
paste -d: <(seq 3) <(seq 4 6) | tr 1-6 a-f | tac | nl -w 2
fold -w 33 table | tail -1
pr -2 -l 20 -h title -D date <(seq 20) | head -8
fmt -w 40 <<<"$(seq -s ' ' 60)" | tail -2
expand -t 4 <<<$'a\tb' | unexpand -a -t 2 | od -c
od -A x -t f8 -N 32 table
od -t d4 -t x1z -N 20 table
base64 table | sha256sum
base32 <<<text
basenc --z85 <<<1234567
printf '%s %.3Lf %a %u\n' text 2.7182818284590452354 1.1 18446744073709551615
expr 12345678901234567890 '*' 98765432109876543210 '%' 1000000007
expr substr 'some text' 3 4
expr 'some text' : '.*e \(.*\)'
seq -f '%05.1f' 1 0.5 3 | paste -sd' '
seq 0.1 0.1 0.5 | paste -sd' '
date -u -d '2024-02-29 12:34:56 +1 year' '+%F %T %s %j %G-W%V'
date -u -d @1700000000.123456789 '+%c %N'
truncate -s 1M sparse && stat -c '%s %F %a' sparse
dd if=/dev/zero of=zeros bs=4K count=100 status=none && cksum zeros
dd if=table bs=100 skip=5 count=3 status=none | sha256sum
install -m 640 table copy && stat -c %A copy
ln -s copy link && readlink -f link && realpath --relative-to=/tmp link
ln copy hard && stat -c %h copy
mkdir -p deep/er/still && touch deep/er/still/file && cp -a deep other && find other | sort | paste -sd' '
mkfifo pipe && (cat table >pipe &) && wc -lwmc pipe
head -c 1000 table | tail -c +500 | wc -c
tee one two <table | wc -l && cmp one two
timeout 0.5 sleep 10
echo "timeout: $?"
env -i A=1 B=2 printenv | sort
nice -n 5 nice
chmod u=rwx,g=rx,o= copy && ls -l copy | cut -d ' ' -f 1
test -x copy -a table -nt /etc/fstab && echo newer
id -un
basename /a/b/c.txt .txt
dirname /a/b/c.txt
pathchk -p 'a?b' 2>&1
yes no | head -n 20000 | uniq -c

echo '== tar, mawk'
tar --sort=name --mtime=@0 --owner=0 --group=0 -cf all.tar deep table copy link
sha256sum all.tar
tar -tvf all.tar --utc | md5sum
mkdir out && tar -C out -xf all.tar && cmp out/table table
mawk '{ a[$2] += $3 } END { for (k in a) printf "%s %.6f\n", k, a[k] }' table | sort -n | sha256sum
mawk 'BEGIN { for (n = 1; n < 3000; n++) print sin(n), cos(n), exp(n % 30), log(n), sqrt(n), int(n ^ 1.5) }' |
	sha256sum
mawk '{ gsub(/[13579]+/, "<&>"); print substr($0, 1, 30), length, toupper($0) }' table | sha256sum
