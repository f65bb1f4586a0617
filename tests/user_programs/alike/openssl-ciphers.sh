# Every kind of cipher forth and back.
cat > text
for cipher in aes-{128,192,256}-{cbc,ctr,ecb,ofb,cfb,cfb8} camellia-256-cbc aria-128-ctr chacha20 des-ede3-cbc sm4-cbc; do
    case $cipher in *128*|sm4*) digits=32;; *192*|des*) digits=48;; *) digits=64;; esac
    set -- -$cipher -K "$(printf "%0${digits}d" 3)"
    case $cipher in *ecb) ;; des*) set -- "$@" -iv 0000000000000005;; *) set -- "$@" -iv "$(printf %032d 5)";; esac
    openssl enc "$@" -in text -out packed && sha256sum packed && openssl enc -d "$@" -in packed | cmp - text
done 2>&1
openssl enc -aes-256-cbc -pbkdf2 -iter 200 -S 0102030405060708 -pass pass:word -a -in text | tail -2
