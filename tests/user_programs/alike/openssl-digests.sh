# Digests, authentication codes, key derivation.
cat > text
for digest in md5 sha1 sha224 sha256 sha384 sha512 sha512-256 sha3-224 sha3-256 sha3-512 shake128 shake256 blake2b512 blake2s256 sm3 ripemd160; do
    openssl dgst -$digest -r text
done 2>&1
key=000102030405060708090a0b0c0d0e0f
openssl mac -digest SHA3-384 -macopt key:abc -in text HMAC
openssl mac -cipher aes-128-cbc -macopt hexkey:$key -in text CMAC
openssl mac -cipher aes-128-gcm -macopt hexkey:$key -macopt hexiv:000102030405060708090a0b -in text GMAC
openssl mac -macopt hexkey:$key -in text KMAC256
openssl mac -macopt hexkey:$key$key -in text POLY1305
openssl mac -macopt hexkey:$key -in text SIPHASH
openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:abc -kdfopt salt:def -kdfopt info:x HKDF
openssl kdf -keylen 24 -kdfopt pass:abc -kdfopt salt:def -kdfopt n:64 -kdfopt r:8 -kdfopt p:1 SCRYPT
openssl passwd -6 -salt salt word; openssl passwd -1 -salt salt word; openssl prime -hex FFFFFFFFFFFFFFC5
