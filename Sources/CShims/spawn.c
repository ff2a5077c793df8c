#define _GNU_SOURCE
#include "include/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

// Runs in the child between fork and exec: async-signal-safe calls only.
static void run_child(const struct assay_spawn_request *r, int error_fd) {
    setpgid(0, 0);
    int fds[3] = {r->stdin_fd, r->stdout_fd, r->stderr_fd};
    // Move everything out of 0..2 first, so that one dup2 does not close another's source.
    for (int i = 0; i < 3; i++) {
        if (fds[i] < 0) fds[i] = open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY);
        else fds[i] = fcntl(fds[i], F_DUPFD, 10);
        if (fds[i] < 0) goto fail;
    }
    int report = fcntl(error_fd, F_DUPFD, 10);
    if (report < 0) goto fail;
    error_fd = report;
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0) goto fail;
    if (dup2(error_fd, 3) < 0) goto fail;
    error_fd = 3;
    fcntl(3, F_SETFD, FD_CLOEXEC);
    if (syscall(SYS_close_range, 4u, ~0u, 0u) != 0)
        for (int fd = 4; fd < 4096; fd++) close(fd);

    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP) sigaction(s, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    if (r->working_directory && chdir(r->working_directory) != 0) goto fail;
    execve(r->path, r->argv, r->envp);
fail:;
    int e = errno;
    ssize_t ignored = write(error_fd, &e, sizeof e);
    (void)ignored;
    _exit(127);
}

// Whoever started us may have left SIGCHLD ignored (nohup-like wrappers, some init systems): the kernel then reaps children
// itself and their exit status is lost (wait(2), NOTES). Handlers, and anything else, are left as they are.
static void keep_exit_statuses(void) {
    struct sigaction action;
    if (sigaction(SIGCHLD, NULL, &action) != 0) return;
    if (action.sa_handler != SIG_IGN && !(action.sa_flags & SA_NOCLDWAIT)) return;
    if (action.sa_handler == SIG_IGN) action.sa_handler = SIG_DFL;
    action.sa_flags &= ~SA_NOCLDWAIT;
    sigaction(SIGCHLD, &action, NULL);
}

pid_t assay_spawn(const struct assay_spawn_request *request, int *pidfd) {
    keep_exit_statuses();
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return -errno;

    // Block signals over the fork: a handler of ours must not run in the child.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pid_t pid = fork();
    if (pid == 0) run_child(request, report[1]);
    int fork_errno = errno;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        return -fork_errno;
    }
    // Both sides call setpgid, so that a kill of the group right after the spawn finds it.
    setpgid(pid, pid);
    int child_errno = 0;
    ssize_t n;
    do n = read(report[0], &child_errno, sizeof child_errno); while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == (ssize_t)sizeof child_errno) {
        waitpid(pid, NULL, 0);
        return -child_errno;
    }
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) {
        int e = errno;
        kill(-pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return -e;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    *pidfd = fd;
    return pid;
}

int assay_reap(int pidfd, int *exit_code, int *signal_number) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int r;
    do r = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG); while (r != 0 && errno == EINTR);
    if (r != 0) return -errno;
    if (info.si_pid == 0) return -EAGAIN;
    *exit_code = info.si_code == CLD_EXITED ? info.si_status : -1;
    *signal_number = info.si_code == CLD_EXITED ? 0 : info.si_status;
    return 0;
}

ssize_t assay_write_nosigpipe(int fd, const void *bytes, size_t count) {
    // A pipe has no MSG_NOSIGNAL: block the signal for this thread, write, and take a pending one away again.
    sigset_t pipe_only, previous, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    int was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &previous);
    ssize_t n = write(fd, bytes, count);
    int e = errno;
    if (n < 0 && e == EPIPE && !was_pending) {
        struct timespec none = {0, 0};
        while (sigtimedwait(&pipe_only, NULL, &none) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    errno = e;
    return n;
}

int assay_pipe(int fds[2]) { return pipe2(fds, O_CLOEXEC) == 0 ? 0 : -errno; }
