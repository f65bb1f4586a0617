/* A program for musl: long double arithmetic, threads, signals, processes, regular expressions, wide characters. */
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static __thread int own = 5;
static int turn;
static long total;
static sigjmp_buf again;

static void *worker(void *argument)
{
    long number = (long)argument;
    for (int round = 0; round < 50; round++) {
        pthread_mutex_lock(&lock);
        while (turn % 4 != number)
            pthread_cond_wait(&changed, &lock);
        own += turn;
        total += own * number;
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return (void *)(long)own;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    printf("signal %d at %lx\n", number, (unsigned long)info->si_addr);
    siglongjmp(again, 1);
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(int count, char **words)
{
    pthread_t threads[4];
    for (long i = 0; i < 4; i++)
        pthread_create(&threads[i], 0, worker, (void *)i);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        printf("thread %d: %ld\n", i, (long)result);
    }
    printf("total %ld, own %d\n", total, own);

    for (int i = 1; i < 6; i++)
        printf("%.18Lg %.17g %.9g %a\n", sinl(i) / i, exp(i * 1.5), (double)sqrtf(i), pow(i, -3.25));
    printf("%.40Lf %Lg %g %g\n", 1.0L / 3, powl(2, 16000), strtod("1e-310", 0), fmod(1e300, 7));
    printf("%lld %llu %d\n", llrint(-2.5), (unsigned long long)1e19, (int)lround(0.5));

    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    if (!sigsetjmp(again, 1))
        *(volatile int *)0x1230 = 1;
    char *page = mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("page %d\n", page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0 && strcpy(page, "text")[3] == 't');

    regex_t pattern;
    regmatch_t found[3];
    regcomp(&pattern, "([a-z]+)=([0-9]{2,})", REG_EXTENDED);
    printf("regexec %d", regexec(&pattern, "x=1 key=4711;", 3, found, 0));
    printf(" %d %d %d\n", (int)found[0].rm_so, (int)found[1].rm_eo, (int)found[2].rm_so);
    wchar_t wide[16];
    setlocale(LC_CTYPE, "C.UTF-8");
    int length = mbstowcs(wide, "a\xc3\xa4\xe2\x82\xac", 16);
    printf("wide %d %x\n", length, (unsigned)wide[2]);

    char *names[] = {"pear", "fig", "apple", "quince", "date"};
    qsort(names, 5, sizeof *names, compare);
    for (int i = 0; i < 5; i++)
        printf("%s ", names[i]);
    struct tm *when = gmtime(&(time_t){2000000000});
    char text[64];
    strftime(text, sizeof text, "%F %T %j", when);
    puts(text);
    fflush(stdout);

    int ends[2], status;
    pipe(ends);
    pid_t child = fork();
    if (!child) {
        dup2(ends[1], 1);
        printf("from the child");
        fflush(stdout);
        _exit(7);
    }
    waitpid(child, &status, 0);
    long got = read(ends[0], text, sizeof text);
    printf("%.*s, %d\n", (int)got, text, WEXITSTATUS(status));
    return 9;
}
