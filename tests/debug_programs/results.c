/* Arguments and results in floating-point and vector registers, a thread's variable, a signal, a child. */
#include <pthread.h>
#include <stdio.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
struct pair { double x, y; };
struct big { long v[6]; };
typedef int v4si __attribute__((vector_size(16)));
static __thread int own = 7;
static int hits;
struct pair make(double a, float b) { struct pair p = { a * 2, b + 1 }; return p; }
struct big fill(int n) { struct big b; for (int i = 0; i < 6; i++) b.v[i] = n + i; return b; }
v4si vec(v4si a, int k) { return a + (v4si){k, k, k, k}; }
long double ld(long double a) { return a * 2; }
long long sum(int a, long long b, int c, long long d) { return a + b + c + d; }
static void handler(int n) { hits += n; }
static void *run(void *p) { own += *(int *)p; hits++; return p; }
int main(int argc, char **argv)
{
    pthread_t t; int n = 5;
    signal(SIGUSR1, handler);
    pthread_create(&t, 0, run, &n);
    pthread_join(t, 0);
    raise(SIGUSR1);
    struct pair p = make(1.25, 2.5f);
    struct big b = fill(3);
    v4si v = vec((v4si){1, 2, 3, 4}, n);
    long long s = sum(1, 2LL << 32, 3, 4);
    long double l = ld(1.5L);
    pid_t pid = fork();
    if (pid == 0) { hits = 99; _exit(hits); }
    int status; waitpid(pid, &status, 0);
    printf("%d %g %g %ld %d %lld %Lg %d\n", hits, p.x, p.y, b.v[5], v[2], s, l, WEXITSTATUS(status));
    return own;
}
