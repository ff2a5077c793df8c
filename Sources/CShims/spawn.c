#define _GNU_SOURCE
#include "include/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

// The system call itself: the C library's function leaves out the two signals that it uses between threads, and their
// handlers must not run in a child that shares our memory either.
static void set_signal_mask(uint64_t mask, uint64_t *previous) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, previous, sizeof mask);
}

// What the child needs, and what it leaves for its parent: both see the same memory until the child has called execve.
struct child {
    const struct assay_spawn_request *request;
    volatile int error;
};

// What run_child and the C library's wrappers under it need, many times over.
#define CHILD_STACK (64 << 10)

// Runs in the child, in the parent's memory and on a stack of its own: async-signal-safe calls only, and nothing may be
// written that the parent uses. The file descriptors, the signal dispositions and the working directory are the child's own.
static int run_child(void *context) {
    struct child *child = context;
    const struct assay_spawn_request *r = child->request;
    setpgid(0, 0);
    int fds[3] = {r->stdin_fd, r->stdout_fd, r->stderr_fd};
    // Move everything out of 0..2 first, so that one dup2 does not close another's source.
    for (int i = 0; i < 3; i++) {
        if (fds[i] < 0) fds[i] = open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY);
        if (fds[i] < 0) goto fail;
        fds[i] = fcntl(fds[i], F_DUPFD, 10);
        if (fds[i] < 0) goto fail;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0) goto fail;
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
        for (int fd = 3; fd < 4096; fd++) close(fd);

    // Dispositions before the mask: a handler of the parent's must never run here.
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP) sigaction(s, &action, NULL);
    set_signal_mask(0, NULL);

    if (r->working_directory && chdir(r->working_directory) != 0) goto fail;
    execve(r->path, r->argv, r->envp);
fail:
    child->error = errno;
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
    // The lowest page stays without access: an overflow ends the child, instead of writing into what lies below.
    long page = sysconf(_SC_PAGESIZE);
    char *stack = mmap(NULL, CHILD_STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -errno;
    if (mprotect(stack + page, (size_t)(CHILD_STACK - page), PROT_READ | PROT_WRITE) != 0) {
        int e = errno;
        munmap(stack, CHILD_STACK);
        return -e;
    }

    // As posix_spawn of the C library does it, which knows neither close_range nor a directory in every release: the child
    // borrows this process's memory and this thread stands still until the child has called execve or has ended. A fork
    // would copy the page tables, which costs milliseconds in a process of some hundred megabytes, for nothing.
    struct child child = {request, 0};
    uint64_t previous;
    set_signal_mask(~(uint64_t)0, &previous);
    pid_t pid = clone(run_child, stack + CHILD_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
    int clone_errno = errno;
    set_signal_mask(previous, NULL);
    munmap(stack, CHILD_STACK);
    if (pid < 0) return -clone_errno;
    if (child.error != 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        return -child.error;
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
