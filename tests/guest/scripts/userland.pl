# What Debian's perl makes of numbers, text, modules, processes and threads.
use strict;
use warnings;
use Config;
use Data::Dumper;
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(sha1_hex sha256_hex sha512_hex);
use Encode qw(decode encode);
use List::Util qw(first max min reduce shuffle sum);
use Math::BigFloat;
use Math::BigInt;
use MIME::Base64;
use POSIX qw(:sys_wait_h ceil floor fmod ldexp frexp strtod setlocale LC_ALL mktime strftime);
use Storable qw(dclone freeze thaw);
use Time::Local;
use Compress::Zlib;
use threads;
use threads::shared;
use Thread::Queue;

$| = 1;
$Data::Dumper::Sortkeys = $Data::Dumper::Indent = 1;

sub digest { my ($what, @parts) = @_; printf "%-28s %s\n", $what, sha256_hex(join "\n", @parts) }

print "== numbers\n";
print join(' ', 10 / 3, 1e23, 0.1 + 0.2, 1e-5, 1.0, -0.0, 9**9**9, -9**9**9, 1 / 7), "\n";
print join(' ', 18446744073709551615, 18446744073709551615 + 1, -7 % 3, 7 % -3, int(-3.7)), "\n";
print join(' ', 0xFF & ~0x0F, 1 << 40, -1 >> 60, 2**0.5, 2**-1074, abs(-3), 1_000_000 * 1_000_000), "\n";
printf "%.3f %e %g %G %a %x %o %b %05d %+d\n", 3.14159265, 12345.678, 1e-10, 1e100, 0.1, 255, 8, 10, 42, 42;
{
	my ($x, @lines) = (0.5);
	for my $n (1 .. 4000) {
		$x = 3.99 * $x * (1 - $x);
		my $y = $x * 2000 - 1000;
		push @lines, join ' ', sin $y, cos $y, exp $x, log $x, sqrt $x, atan2($y, $x), $y**3,
			int $y, fmod($y, 7), floor($y), ceil($y);
	}
	digest 'a chaotic orbit', @lines;
	digest 'in 17 digits', map { sprintf '%.17g %a', (split)[0, 2] } @lines[0 .. 3000];
	my @ordered = sort { (split ' ', $a)[0] <=> (split ' ', $b)[0] } @lines[0 .. 3000];
	digest 'sorted by number', @ordered;
}
print join(' ', frexp(1234.5), ldexp(0.75, 10), strtod('1.5e3xyz'), 'inf' + 0, 'nan' + 0), "\n";
print Math::BigInt->new(2)->bpow(521)->bsub(1), "\n";
print Math::BigInt->new('1234567890123456789012345678901234567890')->bmodpow(65537, '9' x 30), "\n";
print Math::BigInt->bgcd(2**40, 6**20), ' ', Math::BigInt->new(100)->bfac, "\n";
print Math::BigFloat->new(2)->bsqrt(30), "\n";

print "== text\n";
my $text = join '', map { chr(97 + ($_ * $_ * 31 + $_ * 7) % 26) . ($_ % 11 ? '' : ' ') } 1 .. 40000;
my %count;
$count{$_}++ for split ' ', $text;
digest 'words', map { "$_ $count{$_}" } sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my @found = $text =~ /(([aeiou])[^aeiou ]{2,4}\2)/g;
print scalar(@found), " $found[0] $found[-2]\n";
(my $changed = $text) =~ s/(\w)(\w)(\w)/\U$3\E$1$2/g;
digest 'changed', $changed;
($changed = $text) =~ s/([a-m]+)/length($1)/ge;
digest 'computed', $changed;
print 'balanced: ', ('(a(b)(c(d)))' =~ /^(\((?:[^()]++|(?1))*\))$/ ? 'yes' : 'no'), "\n";
print join('|', 'key=value; other="x y"' =~ /(?<k>\w+)=(?<v>"[^"]*"|\w+)/g), " $+{k}\n";
print join(',', map { sprintf '%s', $_ } 'The quick brown fox' =~ /\b(\w)(?=\w*o)/g), "\n";
my $wide = decode('UTF-8', "gr\xc3\xbc\xc3\x9fe \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x90\xa7");
print length $wide, ' ', encode('UTF-8', uc $wide), ' ', unpack('H*', encode('UTF-16LE', $wide)), "\n";
print join(' ', reverse(sort qw(pear Apple fig banana Cherry)), lc 'ÄB', ucfirst 'perl', 'ab' x 3), "\n";
print "format: ", join('|', map { sprintf '%-8s%8.2f', $_, length($_) / 3 } qw(one three seventeen)), "\n";

print "== pack\n";
my $packed = pack 'c C s S l L q Q n N v V f d w a5 A5 Z5 H4 b8 U', -1, 255, -2, 65535, -3, 4294967295,
	-4, 18446744073709551615, 258, 16909060, 258, 16909060, 1.5, -2.25, 300, 'ab', 'cd', 'efghij', 'beef',
	'10101010', 0x263A;
print unpack('H*', encode('UTF-8', $packed)), "\n";
print join(' ', unpack 'c C s S l L q Q n N v V f d w', $packed), "\n";
print unpack('%32C*', $text), ' ', unpack('%16n*', $text), ' ', unpack('b32', pack 'N', 0xDEADBEEF), "\n";
digest 'packed doubles', map { unpack 'H*', pack 'd>', $_ / 3 } 1 .. 3000;
my $vector = '';
vec($vector, $_ * 3, 1) = 1 for 0 .. 99;
print unpack('b40', $vector), ' ', unpack('%32b*', $vector), "\n";

print "== modules\n";
print join(' ', md5_hex($text), sha1_hex($text), substr(sha512_hex($text), 0, 32)), "\n";
digest 'base64', encode_base64($text);
my $small = compress($text, 9);
print length $small, ' ', (uncompress($small) eq $text ? 'same' : 'DIFFERENT'), ' ', crc32($text), ' ',
	adler32($text), "\n";
digest 'compressed', $small;
my $tree = { list => [1, [2, { three => 3 }]], name => 'tree', undef => undef, number => 1.25 };
print Dumper(thaw(freeze(dclone($tree))));
$Storable::canonical = 1;
digest 'frozen', freeze($tree);
print join(' ', max(3, 9, 2), min(3, 9, 2), sum(1 .. 100), reduce { $a * $b } 1 .. 15), "\n";
print first { $_ > 10 && !($_ % 7) } 1 .. 100;
print "\n", strftime('%Y-%m-%d %H:%M:%S %j %U %w', gmtime timegm(56, 34, 12, 29, 1, 2000)), "\n";

print "== processes and threads\n";
pipe my $read, my $write or die;
my @children;
for my $n (1 .. 8) {
	my $pid = fork // die;
	if (!$pid) {
		close $read;
		my $value = sha256_hex($n x 10000);
		syswrite $write, "$n $value\n";
		exit $n;
	}
	push @children, $pid;
}
close $write;
print sort <$read>;
print join(' ', map { waitpid $_, 0; $? >> 8 } @children), "\n";
print `printf '%s-' a b c | tr a-c A-C`, "\n", system('sh', '-c', 'exit 3') >> 8, "\n";
{
	local $SIG{ALRM} = sub { die "alarm\n" };
	eval { alarm 1; 1 while 1 };
	print "after: $@";
}
my $total : shared = 0;
my $queue = Thread::Queue->new(1 .. 200);
$queue->end;
my @threads = map {
	threads->create(sub {
		my $mine = 0;
		while (defined(my $n = $queue->dequeue)) { $mine++; lock $total; $total += $n * $n }
		return $mine;
	})
} 1 .. 4;
my $taken = sum map { $_->join } @threads;
print "$taken $total\n";
eval { my $zero = 0; my $x = 1 / $zero; };
print $@;
my @closures = map { my $n = $_; sub { $n += shift } } 1 .. 3;
print join(' ', map { $_->(10) } @closures, @closures), "\n";
no warnings 'recursion';
sub ackermann { my ($m, $n) = @_; $m ? ackermann($m - 1, $n ? ackermann($m, $n - 1) : 1) : $n + 1 }
print ackermann(2, 60), "\n";
print "$Config{archname} $Config{ivsize} $Config{nvsize} $Config{byteorder}\n";
