// Dying with the parent process; prctl is variadic, which Swift cannot call.
#pragma once

/// Asks the kernel to kill this process when the thread that spawned it ends. Returns 0, or -1 with errno.
int clinux_die_with_parent(void);
