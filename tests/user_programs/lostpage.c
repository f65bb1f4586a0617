/* A file cut short under a shared mapping: SIGBUS with the exact address, once for each page. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile char *base;
static void caught(int number, siginfo_t *info, void *context)
{
    printf("signal %d code %d at +%ld\n", number, info->si_code, (long)((char *)info->si_addr - base));
    siglongjmp(back, 1);
}

int main(void)
{
    FILE *file = tmpfile();
    int fd = fileno(file);
    ftruncate(fd, 3 * 4096);
    base = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memset((char *)base, 'x', 3 * 4096);
    ftruncate(fd, 4096);
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, 0);
    if (!sigsetjmp(back, 1)) {
        printf("%c\n", base[4095]);
        fflush(stdout);
        volatile char c = base[4096 + 5];
        for (;;)
            c = c;
    }
    if (!sigsetjmp(back, 1)) {
        base[8192 + 7] = 'y';
        for (;;)
            ;
    }
    puts("done");
}
