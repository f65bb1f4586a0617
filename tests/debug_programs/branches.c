/* Places from which a debugger goes another way: files, handlers, threads, timers, pipes and children are what they were there. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

volatile int choice, calls, fired;
static volatile int turn;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

__attribute__((noinline)) void mark(int place) { __asm__ volatile("" : : "r"(place)); }
__attribute__((noinline)) int twice(int x) { calls++; return 2 * x; }
static void handler(int number) { fired += number; }

static void files(const char *path)
{
    char head[5] = "", next[5] = "", dup[5] = "";
    struct sigaction action = {.sa_handler = handler};
    int file = open(path, O_RDONLY), other;
    if (read(file, head, 4) != 4)
        return;
    umask(022);
    mark(1);
    other = dup2(file, 20);
    if (read(other, next, 4) != 4 || read(file, dup, 4) != 4)
        return;
    close(file);
    if (chdir("/proc") != 0)
        return;
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    printf("choice %d: %s %s %s, fired %d\n", choice, head, next, dup, fired);
    mark(10);
}

static void state(const char *path)
{
    struct sigaction now;
    char directory[256] = "", byte = 0;
    int file, mask = umask(0);
    sigaction(SIGUSR1, 0, &now);
    umask(mask);
    file = open(path, O_RDONLY);
    printf("choice %d: handler %d, umask %o, in %s, next descriptor %d\n", choice, now.sa_handler == handler, mask,
           getcwd(directory, sizeof directory), file);
    close(file);
    if (read(20, &byte, 1) == 1)
        printf("descriptor 20 has %c\n", byte);
    fflush(stdout);
}

static void pipes(void)
{
    int ends[2];
    char text[8] = "";
    if (pipe(ends) != 0 || write(ends[1], "through", 7) != 7)
        return;
    mark(2);
    if (read(ends[0], text, 7) != 7)
        return;
    close(ends[0]);
    close(ends[1]);
    printf("choice %d: %s\n", choice, text);
}

static void child(void)
{
    int status = 0, pid;
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(3);
    mark(3);
    waitpid(pid, &status, 0);
    printf("choice %d: child %d\n", choice, WEXITSTATUS(status));
}

static void *work(void *unused)
{
    pthread_mutex_lock(&lock);
    while (turn == 0)
        pthread_cond_wait(&changed, &lock);
    turn += 10 + choice;
    pthread_mutex_unlock(&lock);
    return unused;
}

static void threads(void)
{
    pthread_t worker;
    pthread_create(&worker, 0, work, 0);
    usleep(2000);
    mark(4);
    pthread_mutex_lock(&lock);
    turn = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(worker, 0);
    printf("choice %d: turn %d\n", choice, turn);
}

static void timer(void)
{
    struct itimerval soon = {.it_value = {.tv_usec = 5000}};
    signal(SIGALRM, handler);
    fired = 0;
    setitimer(ITIMER_REAL, &soon, 0);
    mark(5);
    while (!fired)
        pause();
    printf("choice %d: fired %d\n", choice, fired);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    files(argv[1]);
    if (choice == 7)
        state(argv[1]);
    pipes();
    child();
    threads();
    timer();
    printf("%d\n", twice(21));
    mark(6);
    return 0;
}
