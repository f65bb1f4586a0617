/* Files, directories, descriptors, memory mappings. Prints what must be the same everywhere. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#define E(x) do { errno = 0; long r_ = (long)(x); printf("%s = %ld errno %d\n", #x, r_, errno); } while (0)
int main(void) {
    char b[200]; struct stat s; struct timespec ts[2] = {{1000, 5}, {2000, 7}};
    setvbuf(stdout, 0, _IONBF, 0);
    mkdir("d", 0755); chdir("d");
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0640);
    E(fd); E(write(fd, "hello world", 11)); E(pwrite(fd, "J", 1, 0)); E(pread(fd, b, 5, 6)); E(memcmp(b, "world", 5));
    E(lseek(fd, 0, SEEK_SET)); E(lseek(fd, -100, SEEK_SET)); E(lseek(fd, 5LL << 32, SEEK_SET)); printf("%lld\n", (long long)lseek64(fd, 0, SEEK_CUR));
    printf("%lld %d\n", (long long)pwrite64(fd, "x", 1, 0x100000001LL), errno); fstat(fd, &s); printf("size %lld mode %o\n", (long long)s.st_size, s.st_mode);
    E(ftruncate(fd, 11)); E(fchmod(fd, 0600)); stat("f", &s); printf("mode %o nlink %d size %d\n", s.st_mode, (int)s.st_nlink, (int)s.st_size);
    E(link("f", "g")); E(rename("g", "h")); E(symlink("h", "s")); E(readlink("s", b, 200)); lstat("s", &s); printf("link %d\n", S_ISLNK(s.st_mode));
    E(unlink("missing")); E(open("missing/x", O_RDONLY)); E(open("f", O_CREAT | O_EXCL | O_RDWR, 0600)); E(open("f", O_DIRECTORY)); E(open("s", O_NOFOLLOW)); E(open(".", O_RDWR));
    E(access("f", R_OK | W_OK)); E(access("nope", F_OK)); E(faccessat(AT_FDCWD, "f", X_OK, 0) == 0 ? 0 : 0);
    E(utimensat(AT_FDCWD, "f", ts, 0)); stat("f", &s); printf("times %ld.%ld %ld.%ld\n", s.st_atim.tv_sec, s.st_atim.tv_nsec, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    int d = open(".", O_RDONLY | O_DIRECTORY); E(mkdirat(d, "sub", 0700)); E(openat(d, "sub/n", O_CREAT | O_WRONLY, 0644)); E(unlinkat(d, "sub/n", 0)); E(unlinkat(d, "sub", AT_REMOVEDIR));
    DIR *dir = opendir("."); struct dirent *e; int n = 0, types = 0; while ((e = readdir(dir))) { n++; types += e->d_type == DT_LNK; } closedir(dir); printf("entries %d links %d\n", n, types);
    E(dup2(fd, 20)); E(fcntl(20, F_GETFD)); E(fcntl(fd, F_DUPFD_CLOEXEC, 30)); E(fcntl(30, F_GETFD)); E(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)); E(fcntl(fd, F_SETFL, O_APPEND)); E(fcntl(fd, F_GETFL) & O_APPEND);
    E(close(20)); E(close(20)); E(write(99, "", 1)); E(read(fd, (void *)1, 10)); E(write(fd, (void *)1, 10)); E(open((void *)1, 0)); E(readlink((void *)1, b, 9));
    struct iovec v[2] = {{b, 3}, {b + 10, 4}}; lseek(fd, 0, SEEK_SET); E(readv(fd, v, 2)); E(memcmp(b, "Jel", 3)); E(memcmp(b + 10, "lo w", 4)); E(writev(fd, v, 2)); v[1].iov_len = -1; E(writev(fd, v, 2));
    int p[2]; E(pipe2(p, O_NONBLOCK | O_CLOEXEC)); E(read(p[0], b, 1)); E(fcntl(p[0], F_GETFL)); lseek(fd, 0, SEEK_SET); off_t off = 2; E(sendfile(p[1], fd, &off, 4)); E(off); E(ioctl(p[0], FIONREAD, &n)); E(n); E(splice(p[0], 0, fd, 0, 4, 0));
    for (n = 0; write(p[1], b, 200) == 200; n++) ; printf("pipe holds %d\n", n);
    E(flock(fd, LOCK_EX)); struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10}; E(fcntl(fd, F_SETLK, &l)); E(fcntl(fd, F_GETLK, &l)); E(l.l_type);
    char *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); m[5000] = 1; E(mprotect(m, 4096, PROT_READ)); E(read(open("f", 0), m, 5)); E(munmap(m + 4096, 4096)); E(mprotect(m, 8192, PROT_READ)); E(madvise(m, 8192, MADV_DONTNEED));
    char *q = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); q[0] = 'Q'; E(msync(q, 4096, MS_SYNC)); pread(fd, b, 1, 0); printf("shared %c\n", b[0]); q = mremap(q, 4096, 16384, MREMAP_MAYMOVE); printf("mremap %c\n", q[0]);
    E(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)); E(mmap(0, 4096, PROT_READ, MAP_PRIVATE, 77, 0)); E(mmap((void *)0x12345, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0)); E(mmap(0, 4096, PROT_WRITE, MAP_SHARED, open("f", 0), 0));
    char *big = mmap(0, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); strcpy(big + (1 << 23), "far"); big = mremap(big, 1 << 24, 1 << 25, MREMAP_MAYMOVE); printf("%s\n", big + (1 << 23)); unsigned char vec[4]; E(mincore(big, 16384, vec)); E(vec[0] & 0);
    E(memfd_create("x", MFD_CLOEXEC)); E(copy_file_range(fd, 0, fd, 0, 0, 0)); E(fallocate(fd, 0, 0, 5000)); fstat(fd, &s); E(s.st_size); struct statfs sf; E(statfs(".", &sf)); E(sf.f_bsize); struct statfs64 sf6; E(fstatfs64(fd, &sf6)); E(sf6.f_namelen);
    E(setxattr("f", "user.a", "val", 3, 0) == 0 || errno == EOPNOTSUPP); E(chdir("..")); E(rmdir("d")); E(errno);
    chdir("d"); unlink("f"); unlink("h"); unlink("s"); chdir(".."); E(rmdir("d")); E(getcwd(b, 1) == 0); struct timeval tv[2] = {{0}}; E(utimes("nope", tv)); E(umask(022)); E(umask(022)); E(mknod("fifo", S_IFIFO | 0644, 0)); E(unlink("fifo"));
    E(isatty(fd)); E(ioctl(fd, TIOCGWINSZ, b)); E(truncate("nope", 0)); E(chmod("nope", 0)); E(chown("nope", -1, -1)); E(dup3(fd, fd, 0)); E(dup2(fd, -1)); E(fcntl(fd, F_DUPFD, -1)); E(close(-1)); E(fsync(fd));
    return 0;
}
