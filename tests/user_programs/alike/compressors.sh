# What compressors write, and read again.
cat > text; head -c 200000 text > part
for how in 'xz -T1 -9e' 'xz -T1 -1 --check=sha256' 'xz -T1 -6 --format=lzma' 'xz -T1 --x86 --delta=dist=4 --lzma2' 'gzip -9n' 'gzip -1n' 'zstd -q -19 --single-thread' 'zstd -q -3 --single-thread'; do
    $how -c part > packed; wc -c < packed; sha256sum < packed; ${how%% *} -dc packed | cmp - part
done
xz -T1 -c text > a.xz; xz --robot -l a.xz; tar cf - --sort=name --mtime=@0 --owner=0 --group=0 text part | xz -T1 -2 | sha1sum
