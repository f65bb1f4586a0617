/* What the tests with a real GDB debug: locals, a recursion, a global that changes, a signal, a thread. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

int counter;
char name[16] = "world";
__thread int own = 7;

static void handler(int number) {
    counter += number;
}

int fib(int n) {
    if (n < 2) return n;
    return fib(n - 1) + fib(n - 2);
}

static void *worker(void *argument) {
    own = 8;
    counter++;
    return argument;
}

int main(int argc, char **argv) {
    printf("hello %s %d %s\n", name, argc, argv[argc - 1]);
    fflush(stdout);
    for (int i = 0; i < 5; i++)
        counter += i;
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    int result = fib(5);
    pthread_t thread;
    pthread_create(&thread, 0, worker, 0);
    pthread_join(thread, 0);
    printf("fib %d counter %d\n", result, counter);
    return 3;
}
