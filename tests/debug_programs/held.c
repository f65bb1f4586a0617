/* Threads of which some are held: counters, a lock, a pipe, a signal with a value. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

volatile unsigned counts[3], stopping;
static volatile int value;
static int ends[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    value = info->si_value.sival_int;
}

static void count(int n)
{
    counts[n]++;
}

static void *run(void *argument)
{
    int n = *(int *)argument;
    while (!stopping)
        count(n);
    return 0;
}

static void *reader(void *argument)
{
    char byte = 0;
    pthread_mutex_lock(&lock);
    if (read(ends[0], &byte, 1) == 1)
        counts[0] = (unsigned char)byte;
    pthread_mutex_unlock(&lock);
    return argument;
}

static void started(void)
{
}

static unsigned spin(unsigned rounds) { unsigned i = 0; while (i < rounds) i++; return i; }

int main(int argc, char **argv)
{
    pthread_t threads[3];
    int numbers[2] = { 1, 2 };
    int (*use_own)(int) = 0;
    struct sigaction action = { 0 };
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR1, &action, 0);
    if (argc > 1)
        use_own = (int (*)(int))dlsym(dlopen(argv[1], RTLD_NOW), "use_own");
    if (pipe(ends) < 0)
        return 1;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], 0, run, &numbers[i]);
    pthread_create(&threads[2], 0, reader, 0);
    while (!counts[1] || !counts[2])
        ;
    if (use_own)
        use_own(2);
    started();
    spin(3000000);
    union sigval sent = { .sival_int = 7 };
    sigqueue(getpid(), SIGUSR1, sent);
    if (write(ends[1], "A", 1) != 1)
        return 2;
    pthread_join(threads[2], 0);
    stopping = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
    printf("value %d, byte %u\n", value, counts[0]);
    return 0;
}
