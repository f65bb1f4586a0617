/* Processes: fork, vfork, posix_spawn, exec, wait in every form, pipes, signals between them, scripts. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static volatile sig_atomic_t chld;
static void on_chld(int s, siginfo_t *i, void *u) { (void)s; (void)u; chld = i->si_code; }
int main(int argc, char **argv) {
    int st, p[2];
    char b[100];
    if (argc > 1) {
        if (!strcmp(argv[1], "exec")) { printf("exec %s %s\n", argv[2], getenv("FOO") ? getenv("FOO") : "-"); return 9; }
        if (!strcmp(argv[1], "fd")) { printf("fd %d\n", fcntl(atoi(argv[2]), F_GETFD) < 0 ? -1 : 1); return 0; }
    }
    setvbuf(stdout, 0, _IONBF, 0);
    if (!fork()) _exit(4);
    wait(&st); printf("exit %d\n", WEXITSTATUS(st));
    if (!fork()) { raise(SIGTERM); _exit(1); }
    wait(&st); printf("signal %d\n", WTERMSIG(st));
    pipe(p);
    if (!fork()) { close(p[0]); write(p[1], "from child", 11); _exit(0); }
    close(p[1]);
    int n = read(p[0], b, sizeof b); printf("pipe %d %s\n", n, b);
    n = read(p[0], b, sizeof b); printf("eof %d\n", n);
    close(p[0]); wait(0);
    if (!fork()) { setenv("FOO", "bar", 1); execl(argv[0], argv[0], "exec", "arg", NULL); _exit(1); }
    wait(&st); printf("exec status %d\n", WEXITSTATUS(st));
    if (!vfork()) { execl(argv[0], argv[0], "exec", "vfork", NULL); _exit(1); }
    wait(&st); printf("vfork exec status %d\n", WEXITSTATUS(st));
    pid_t pid; char *av[] = {argv[0], "exec", "spawn", NULL};
    int spawned = posix_spawn(&pid, argv[0], 0, 0, av, environ);       /* printed after the child has ended, whose line comes first */
    waitpid(pid, &st, 0); printf("spawn %d status %d\n", spawned, WEXITSTATUS(st));
    printf("spawn missing %d\n", posix_spawn(&pid, "/does/not/exist", 0, 0, av, environ));
    int fd = open("/dev/null", O_RDONLY), fc = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sprintf(b, "%d", fd);
    if (!fork()) { execl(argv[0], argv[0], "fd", b, NULL); _exit(1); } wait(0);
    sprintf(b, "%d", fc);
    if (!fork()) { execl(argv[0], argv[0], "fd", b, NULL); _exit(1); } wait(0);
    printf("execve missing %d\n", execl("/does/not/exist", "x", NULL) < 0 ? errno : 0);
    printf("execve directory %d\n", execl("/tmp", "x", NULL) < 0 ? errno : 0);
    struct sigaction sa = {0}; sa.sa_sigaction = on_chld; sa.sa_flags = SA_SIGINFO; sigaction(SIGCHLD, &sa, 0);
    if (!fork()) _exit(0);
    while (!chld) pause();
    printf("chld code %d\n", chld); wait(0);
    pid = fork();
    if (!pid) { for (;;) pause(); }
    kill(pid, SIGSTOP); waitpid(pid, &st, WUNTRACED); printf("stopped %d %d\n", WIFSTOPPED(st), WSTOPSIG(st));
    kill(pid, SIGCONT); waitpid(pid, &st, WCONTINUED); printf("continued %d\n", WIFCONTINUED(st));
    kill(pid, SIGKILL); waitpid(pid, &st, 0); printf("killed %d\n", WTERMSIG(st));
    int none = wait(0);
    printf("echild %d %d\n", none, errno == ECHILD);
    pid = fork(); if (!pid) _exit(33);
    siginfo_t si; memset(&si, 0, sizeof si);
    waitid(P_PID, pid, &si, WEXITED | WNOWAIT); printf("waitid %d %d %d\n", si.si_pid == pid, si.si_status, si.si_code);
    waitid(P_ALL, 0, &si, WEXITED); printf("waitid %d\n", si.si_status);
    int *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!fork()) { *shared = 77; _exit(0); } wait(0); printf("shared %d\n", *shared);
    FILE *f = popen("echo from popen; exit 5", "r"); fgets(b, sizeof b, f); printf("%s", b); printf("pclose %d\n", WEXITSTATUS(pclose(f)));
    printf("system %d\n", WEXITSTATUS(system("exit 7")));
    f = fopen("script.sh", "w"); fprintf(f, "#!%s exec\necho no\n", argv[0]); fclose(f); chmod("script.sh", 0755);
    if (!fork()) { execl("./script.sh", "script", "a", NULL); printf("script failed %d\n", errno); _exit(1); }
    wait(&st); printf("script status %d\n", WEXITSTATUS(st)); unlink("script.sh");
    signal(SIGCHLD, SIG_IGN);
    if (!fork()) _exit(0);
    printf("ignored chld %d %d\n", (int)wait(0), errno == ECHILD);
    printf("nohang %d\n", (int)waitpid(-1, &st, WNOHANG));
    return 0;
}
