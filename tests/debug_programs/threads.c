/* Threads that count, and a timer's signal that comes while they do. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

static volatile int counts[3], stopping;
static volatile unsigned ticks;
static __thread int own;

static void on_alarm(int number)
{
    (void)number;
    ticks++;
}

static int work(int n)
{
    own += n;
    counts[n]++;
    return own;
}

static void *run(void *argument)
{
    int n = *(int *)argument, sum = 0;
    while (!stopping)
        sum += work(n);
    return (void *)(long)sum;
}

static unsigned spin(unsigned rounds)
{
    unsigned value = 1;
    for (unsigned i = 0; i < rounds; i++)
        value = value * 3 + i;
    return value;
}

int main(void)
{
    struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
    pthread_t threads[2];
    int numbers[2] = { 1, 2 };
    unsigned value = 0;
    signal(SIGALRM, on_alarm);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], 0, run, &numbers[i]);
    setitimer(ITIMER_REAL, &often, 0);
    for (int i = 0; i < 12; i++) {
        value += spin(300000);
        value ^= ticks;
    }
    stopping = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
    printf("%d %d %d %d\n", value != 0, counts[1] > 0, counts[2] > 0, ticks > 0);
    return 0;
}
