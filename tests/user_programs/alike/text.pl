# Perl's own and its modules' arithmetic, text, digests and packing.
use strict;
use Digest::MD5 qw(md5_hex);
use Digest::SHA qw(sha384_hex);
use Encode;
use List::Util qw(reduce sum);
use Math::BigFloat;
use Math::BigInt;
use MIME::Base64;
use POSIX qw(floor fmod strftime);

local $/;
my $text = <STDIN>;
my %seen;
$seen{length $_}++ for split /[\s,]+/, $text;
print join(" ", map { "$_=$seen{$_}" } sort { $a <=> $b } keys %seen), "\n";
print sha384_hex($text), " ", md5_hex($text), "\n", encode_base64(substr($text, 0, 100));
print Math::BigInt->new(3)->bpow(400), " ", Math::BigFloat->new(2)->bsqrt(60), "\n";
print 2 ** 62 + 1, " ", -7 % 3, " ", 1e15 / 7, " ", 0.1 + 0.2, " ", 1e300 * 1e10, " ", 9007199254740993, " ", 18446744073709551615, " ", ~5, "\n";
my @sorted = sort { $a->[1] <=> $b->[1] || $a->[2] cmp $b->[2] } map { [split /,/] } split /\n/, $text;
print join("|", map { $_->[2] } @sorted[0 .. 9]), " ", sum(map { $_->[0] } @sorted), "\n";
print reduce { ($a * 31 + $b->[0]) % 1000003 } 0, @sorted;
printf "\n%s %.17g %e %x %o %b\n", unpack("H*", encode("UTF-16BE", "\x{20ac}\x{1f600}")), 1 / 3, 12345.678, 0xdeadbeef, 511, 37;
print join(",", unpack("n N q> d>", pack("n N q> d>", 1, 2, -3, 4.5))), " ", unpack("%32C*", $text), "\n";
(my $turned = $text) =~ s/(\d+),(\d+),line (\d+) of/<$3:$1>/g;
print md5_hex($turned), " ", floor(fmod(1e17, 9973)), " ", strftime("%Y-%j %U", gmtime 1e9), "\n";
my ($w, $n) = (0, 0);
while ($text =~ /\b(?<word>l\w+)\s+(?=(\d+)\s(?!of the x))/g) { $w += length $+{word}; $n += $2 }
print "$w $n ", join(",", map { sprintf "%s", sqrt $_ } 2 .. 12), "\n";
