# What busybox's applets do with the guest's whole file system, text and numbers. Its output must
# not depend on the time, on process numbers or on the machine.
set -eu
export LC_ALL=C TZ=UTC
work=/tmp/work
rm -rf $work
mkdir $work
cd $work

echo '== the whole file system'
find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \) -prune \
	-o -print | sort >names
wc -l <names
md5sum <names
find / \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \) -prune \
	-o -type f -print | sort >files
for digest in md5sum sha1sum sha256sum sha512sum sha3sum; do
	xargs $digest <files >$digest.sums
	$digest $digest.sums
done
xargs cat <files | crc32

echo '== archives there and back'
sed 's,^/,,' files >relative
xargs tar -C / -cf all.tar <relative
tar -tf all.tar | cmp - relative
mkdir out
tar -C out -xf all.tar
sed "s,  /,  $work/out/," sha256sum.sums | sha256sum -c >checked
grep -c ': OK$' checked
gzip -9 <all.tar >all.tar.gz
zcat all.tar.gz | cmp - all.tar
rm -r out
mkdir out
(cd / && cpio -o -H newc <$work/relative 2>/dev/null) >all.cpio
(cd out && cpio -id <../all.cpio 2>/dev/null)
sed "s,  /,  $work/out/," sha256sum.sums | sha256sum -c | cmp - checked
xargs cat <files | gzip | tee kept.gz | sha256sum
gunzip <kept.gz | sha256sum
tail -c 8 kept.gz | od -A n -t x1
xargs cat <files | bzip2 | tee kept.bz2 | sha256sum
bunzip2 <kept.bz2 | md5sum
head -c 200000 /bin/busybox >part
base64 part | tee kept.b64 | md5sum
base64 -d kept.b64 | cmp - part
uuencode x <part | tee kept.uu | md5sum
uudecode -o - kept.uu | cmp - part
xxd part | tee kept.xxd | md5sum
xxd -r kept.xxd | cmp - part
od -A d -t x2 part | md5sum
hexdump -C part | md5sum
strings part | sort -u | md5sum
rm -r out all.* kept.*

echo '== text'
awk 'BEGIN {
	x = 12345
	for (n = 0; n < 8000; n++) {
		x = (x * 1103515245 + 12345) % 2147483648
		printf "%d %s%c %.3f\n", x % 5000, n % 7 ? "w" : "W", 97 + x % 26, x / 2147483648
	}
}' >table
md5sum <table
sort table | md5sum
sort -n table | md5sum
sort -k2,2 -k1,1nr table | md5sum
sort -t ' ' -k3,3n -r table | head -3
cut -d ' ' -f 1 table | sort -n | uniq -c | sort -rn | head -3
sed -E 's/([0-9]+) (w|W)(.)/\3-\1/; s/0\./,/g; /^z/d; y/abc/ABC/' table | md5sum
sed -n '$=; 5,7p; /^49/{s/ .*//;p;q}' table
grep -c 'Wa' table
grep -E '^(12|34)[0-9]*5 w[aeiou]' table | head -3
awk '{ sum[$2] += $1; count[$2]++ } END { for (w in sum) print w, sum[w] / count[w] }' table |
	sort | md5sum
tr 'a-z' 'A-Z' <table | tr -s '0' | tr -d 'W' | md5sum
head -500 table >a
sed 's/w/v/; 100,120d; 300i\
inserted' a >b
diff -u a b | tail -n +3 | tee patch | md5sum
tail -n +1 b >c
{ echo '--- a'; echo '+++ b'; cat patch; } | patch a >/dev/null
cmp a c
tac table | nl | fold -w 17 | md5sum
rev table | expand -t 3 | paste - - - | md5sum
seq 1 5000 | shuf | sort -n | md5sum
printf '%s|%5d|%-5x|%05.2f|%e|%b\n' text 42 255 3.14159 12345.678 'a\tb'
find /usr /etc -type l -name '*s' | sort | xargs -n 3 echo | tail -2
find /bin/ -type l | sort | xargs -n 1 readlink | sort | uniq -c

echo '== numbers'
awk 'BEGIN {
	for (n = 1; n <= 2000; n++) {
		x = x * 0.731 + n / 7
		printf "%.17g %.17g %.5e %d %s\n", x, 1 / (x - n), x * x * x, x * 1000 % 7, x < n / 2
	}
}' | tee numbers | md5sum
sed -n '1000p' numbers
awk 'BEGIN { printf "%d %d %x %.0f %g\n", 9007199254740992, -7 % 3, 48879, 2.5, 1e300 * 1e10 }'
echo 'scale=40; 4*a(1); e(1); sqrt(2); 2^521-1; s(1)/c(1); l(10)' | bc -l
echo 'define f(n) { if (n < 2) return 1; return n * f(n - 1) }; f(60)' | bc
echo '16o 2 64^ 1- p 10o 20k 2v p 7 3/p 3 5 10007|p' | dc
factor 18446744073709551615 600851475143 1000000007
expr 6 '*' 7 + 2 '%' 2
echo $((0x7fffffffffffffff + 1)) $((-7 / 2)) $((-7 % 3)) $((1 << 62 | 5)) $((10 > 9 ? 3 : 4))
i=0 sum=0
while [ $i -lt 5000 ]; do
	i=$((i + 1)) sum=$(((sum * 31 + i) % 1000003))
done
echo $sum

echo '== 300 processes at once'
mkfifo gate
exec 3<>gate
i=0
while [ $i -lt 300 ]; do
	i=$((i + 1))
	{
		exec 3>&-
		: >ready.$i
		read -r go || echo $((i * i)) >done.$i
	} <gate &
done
while [ "$(ls | grep -c ready)" -lt 300 ]; do
	usleep 10000
done
ls | grep -c done || true
exec 3>&- # the end of what they all read
wait
ls | grep -c done
cat done.* | sort -n | md5sum
i=0
while [ $i -lt 300 ]; do
	busybox expr $i '*' 3
	i=$((i + 1))
done | md5sum

echo '== pipes and signals'
dd if=/dev/zero bs=1000 count=3000 2>/dev/null | tr '\0' x | dd bs=7777 2>/dev/null | wc -c
yes | head -100000 | wc -l
seq 100000 | tee copy | awk '{ s += $1 } END { print s }'
tail -n 1 copy
seq 40000 | sort -rn | grep 7 | sed 's/7/seven/' | cut -c 1-6 | uniq | tail -1
trap 'echo caught' USR1
kill -USR1 $$
trap - USR1
sh -c 'kill -9 $$' || echo "killed: $?"
sh -c 'ulimit -v 20000; exec sh -c "exit 5"' || echo "status: $?"
timeout 1 sleep 100 || echo "timed out: $?"
flock_test() { mkdir lock 2>/dev/null && echo locked || echo busy; }
flock_test
flock_test
cd /
rm -r $work
echo '== end'
