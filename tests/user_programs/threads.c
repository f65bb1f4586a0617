/* Threads: create, join, mutexes of every kind, condition variables, barriers, cancellation, semaphores. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
#define N 8
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER, pi, robust;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t bar;
static __thread int tls = 5;
static int counter, turn, pic;
static sem_t sem;
static void *add(void *p) {
    for (int i = 0; i < 2000; i++) { pthread_mutex_lock(&m); counter++; pthread_mutex_unlock(&m); }
    tls += (int)(long)p;
    return (void *)(long)tls;
}
static void *pingpong(void *p) {
    int me = (int)(long)p;
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&m);
        while (turn != me) pthread_cond_wait(&c, &m);
        turn = !me;
        pthread_cond_broadcast(&c);
        pthread_mutex_unlock(&m);
    }
    return 0;
}
static void *waitbar(void *p) { (void)p; for (int i = 0; i < 20; i++) pthread_barrier_wait(&bar); return 0; }
static void *pilock(void *p) { (void)p; for (int i = 0; i < 300; i++) { pthread_mutex_lock(&pi); int v = pic; if (i % 50 == 0) sched_yield(); pic = v + 1; pthread_mutex_unlock(&pi); } return 0; }
static void *die_holding(void *p) { (void)p; pthread_mutex_lock(&robust); return 0; }
static void clean(void *p) { printf("cleanup %s\n", (char *)p); }
static void *sleeper(void *p) { (void)p; pthread_cleanup_push(clean, "sleeper"); for (;;) pause(); pthread_cleanup_pop(0); return 0; }
static void *spin(void *p) { (void)p; pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0); for (;;) ; return 0; }
static volatile sig_atomic_t hits; static pthread_t target;
static void on_usr(int s) { (void)s; if (pthread_equal(pthread_self(), target)) hits++; }
static void *sigt(void *p) { (void)p; while (!hits) usleep(1000); return 0; }
static void *poster(void *p) { (void)p; for (int i = 0; i < 5; i++) { usleep(1000); sem_post(&sem); } return 0; }
int main(void) {
    pthread_t t[N];
    void *r;
    long sum = 0;
    for (int i = 0; i < N; i++) pthread_create(&t[i], 0, add, (void *)(long)i);
    for (int i = 0; i < N; i++) { pthread_join(t[i], &r); sum += (long)r; }
    printf("counter %d tls %ld\n", counter, sum);
    for (int i = 0; i < 2; i++) pthread_create(&t[i], 0, pingpong, (void *)(long)i);
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
    printf("pingpong done\n");
    pthread_barrier_init(&bar, 0, 4);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, waitbar, 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    printf("barrier done\n");
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    printf("pi init %d\n", pthread_mutex_init(&pi, &a));
    for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, pilock, 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
    printf("pi %d\n", pic);
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &a);
    pthread_create(&t[0], 0, die_holding, 0);
    pthread_join(t[0], 0);
    int e = pthread_mutex_lock(&robust);
    printf("robust %d\n", e == EOWNERDEAD);
    pthread_mutex_consistent(&robust);
    pthread_mutex_unlock(&robust);
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += 20000000; if (ts.tv_nsec >= 1000000000) { ts.tv_nsec -= 1000000000; ts.tv_sec++; }
    pthread_mutex_lock(&m);
    printf("timedwait %d\n", pthread_cond_timedwait(&c, &m, &ts) == ETIMEDOUT);
    pthread_mutex_unlock(&m);
    pthread_create(&t[0], 0, sleeper, 0);
    usleep(5000);
    pthread_cancel(t[0]);
    pthread_join(t[0], &r);
    printf("cancelled %d\n", r == PTHREAD_CANCELED);
    pthread_create(&t[0], 0, spin, 0);
    usleep(5000);
    pthread_cancel(t[0]);
    pthread_join(t[0], &r);
    printf("cancelled spinning %d\n", r == PTHREAD_CANCELED);
    signal(SIGUSR1, on_usr);
    pthread_create(&target, 0, sigt, 0);
    pthread_kill(target, SIGUSR1);
    pthread_join(target, 0);
    printf("thread signal %d\n", hits);
    sem_init(&sem, 0, 0);
    pthread_create(&t[0], 0, poster, 0);
    for (int i = 0; i < 5; i++) sem_wait(&sem);
    pthread_join(t[0], 0);
    printf("sem done, single %d\n", syscall(SYS_gettid) == getpid());
    fflush(stdout);
    pthread_create(&t[0], 0, sleeper, 0);
    exit(3);
}
