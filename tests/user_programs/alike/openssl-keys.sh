# Keys from seeds: RSA from Python's generator, the curves' from a number; what is signed, opened and agreed with them.
cat > text
bytes() { python3.11 -I -S -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$1"; }
python3.11 -I -S > conf <<'END'
import random
random.seed(5)
def prime(bits):
    while True:
        n = random.getrandbits(bits) | 3 << bits - 2 | 1
        if n % 65537 != 1 and all(pow(random.randrange(2, n), n - 1, n) == 1 for _ in range(12)):
            return n
p, q = sorted((prime(512), prime(512)), reverse=True)
d = pow(65537, -1, (p - 1) * (q - 1))
parts = [0, p * q, 65537, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
print("asn1=SEQUENCE:key\n[key]", *[f"x{i}=INTEGER:0x{part:x}" for i, part in enumerate(parts)], sep="\n")
END
openssl asn1parse -genconf conf -noout -out rsa.der; openssl rsa -inform DER -in rsa.der -out rsa.pem; openssl rsa -in rsa.pem -check -noout -text
openssl rsa -in rsa.pem -pubout -out rsa.pub; openssl dgst -sha256 -sign rsa.pem -out signature text; openssl base64 -in signature
openssl dgst -sha256 -verify rsa.pub -signature signature text; openssl pkeyutl -decrypt -inkey rsa.pem -in signature -pkeyopt rsa_padding_mode:none | openssl base64
for number in 112 110; do     # Ed25519, X25519
    bytes "302e020100300506032b65$(printf '%x04220420%064d' $number 7)" > $number.der; openssl pkey -inform DER -in $number.der -text
    bytes "302e020100300506032b65$(printf '%x04220420%064d' $number 9)" > other.der; openssl pkey -inform DER -in other.der -pubout -out other.pub
done
openssl pkeyutl -sign -rawin -inkey 112.der -keyform DER -in text | openssl base64
openssl pkeyutl -derive -inkey 110.der -keyform DER -peerkey other.pub | openssl base64
for curve in prime256v1 secp384r1 secp521r1 secp256k1 brainpoolP256r1; do
    printf 'asn1=SEQUENCE:k\n[k]\nv=INTEGER:1\np=FORMAT:HEX,OCT:%064d\no=EXP:0,OID:%s\n' 12345 $curve > conf
    openssl asn1parse -genconf conf -noout -out ec.der; openssl ec -inform DER -in ec.der -text -out ec.pem; cat ec.pem
    openssl pkey -in ec.pem -pubout -out ec.pub; openssl dgst -sha512 -sign ec.pem -out signature text; openssl dgst -sha512 -verify ec.pub -signature signature text
done 2>&1
