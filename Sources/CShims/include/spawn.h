#ifndef ASSAY_SPAWN_H
#define ASSAY_SPAWN_H

#include <sys/types.h>

/// What a child gets. File descriptors of -1 mean /dev/null.
struct assay_spawn_request {
    const char *path;            ///< absolute, or relative to the child's working directory
    char *const *argv;           ///< null-terminated
    char *const *envp;           ///< null-terminated
    const char *working_directory; ///< null: the caller's
    int stdin_fd;
    int stdout_fd;
    int stderr_fd;
};

/// Starts a child in a process group of its own, with every signal at its default and unblocked, and with no descriptor
/// but the three named. Returns the pid and stores a pidfd (close-on-exec), or returns -errno. The cost does not grow with the
/// memory of this process; the calling thread stands still until the child has begun its program.
pid_t assay_spawn(const struct assay_spawn_request *request, int *pidfd);

/// waitid(P_PIDFD): reaps the child. Returns 0 and stores the code (exited) or the signal number; -EAGAIN while it runs; -errno.
int assay_reap(int pidfd, int *exit_code, int *signal_number);

/// write(2) on a pipe without the SIGPIPE that a closed reader raises; -1 with errno EPIPE instead.
ssize_t assay_write_nosigpipe(int fd, const void *bytes, size_t count);

/// pipe2(2) with O_CLOEXEC: 0, or -errno.
int assay_pipe(int fds[2]);

#endif
