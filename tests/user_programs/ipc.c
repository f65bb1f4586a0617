/* System V shared memory, semaphores, message queues between two processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>
#define E(x) do { errno = 0; long r_ = (long)(x); printf("%s = %ld errno %d\n", #x, r_, errno); } while (0)
struct msg { long type; char text[20]; };
/* the last argument is a union, which some ABIs pass in memory */
union semun { int val; void *pointer; };
#define semctl(set, number, what, ...) semctl(set, number, what, (union semun){.pointer = (void *)(long)(__VA_ARGS__ + 0)})
int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    int shm = shmget(IPC_PRIVATE, 5000, 0600), sem = semget(IPC_PRIVATE, 2, 0600), q = msgget(IPC_PRIVATE, 0600);
    char *p = shmat(shm, 0, 0); struct shmid_ds sd; struct semid_ds ed; struct msqid_ds md; struct msg m = {3, "hello"};
    E(shmctl(shm, IPC_STAT, &sd)); E(sd.shm_segsz); E(sd.shm_nattch); E(sd.shm_cpid == getpid()); E(sd.shm_perm.mode & 0777);
    E(semctl(sem, 0, SETVAL, 0)); E(semctl(sem, 1, SETVAL, 5)); unsigned short v[2]; E(semctl(sem, 0, GETALL, v)); E(v[1]); E(semctl(sem, 0, IPC_STAT, &ed)); E(ed.sem_nsems);
    if (!fork()) { strcpy(p, "from child"); usleep(20000); struct sembuf up = {0, 1, 0}; semop(sem, &up, 1); usleep(20000); m.type = 7; strcpy(m.text, "second"); msgsnd(q, &m, 7, 0); _exit(0); }
    struct sembuf down = {0, -1, 0}; E(semop(sem, &down, 1)); printf("%s\n", p); down.sem_flg = IPC_NOWAIT; E(semop(sem, &down, 1));
    E(msgsnd(q, &m, 6, 0)); E(msgrcv(q, &m, 20, 7, 0)); printf("%ld %s\n", m.type, m.text); E(msgctl(q, IPC_STAT, &md)); E(md.msg_qnum); E(msgrcv(q, &m, 20, 0, 0)); printf("%ld %s\n", m.type, m.text); E(msgrcv(q, &m, 20, 0, IPC_NOWAIT));
    wait(0); E(shmdt(p)); E(shmdt(p)); E(shmctl(shm, IPC_RMID, 0)); E(semctl(sem, 0, IPC_RMID)); E(msgctl(q, IPC_RMID, 0)); E(semctl(sem, 0, GETVAL)); E((long)shmat(-1, 0, 0) == -1);
    return 0;
}
