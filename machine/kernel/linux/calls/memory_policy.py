"""Calls on memory policies (numa(7)): those of a machine whose memory is one node, which every policy comes to.

Policies are remembered and told: of a thread, which its children inherit and `execve` keeps, and of mappings.
"""

from __future__ import annotations

from machine.kernel.linux.abi import Address, Flags, Int, Size, UInt, Word, call
from machine.kernel.linux.calls.peers import reachable
from machine.kernel.linux.errors import Errno, LinuxError
from machine.kernel.linux.space import USER_SPACE, MemoryPolicy, UserSpace, note_of
from machine.kernel.linux.task import Task
from machine.memory import ADDRESS_SPACE, PAGE, PER_ITEM, page_ceil, page_floor

_DEFAULT, _PREFERRED, _BIND, _INTERLEAVE, _LOCAL, _PREFERRED_MANY, _WEIGHTED_INTERLEAVE = range(7)
_STATIC, _RELATIVE, _BALANCING = 0x8000, 0x4000, 0x2000  # MPOL_F_*: flags of the mode
_OF_MODE = _STATIC | _RELATIVE | _BALANCING
_NODE, _ADDRESS, _ALLOWED = 1, 2, 4  # of get_mempolicy: MPOL_F_NODE, MPOL_F_ADDR, MPOL_F_MEMS_ALLOWED
_STRICT, _MOVE, _MOVE_ALL = 1, 2, 4  # MPOL_MF_*
_NODES = 1  # the nodes that there are, as a mask
_MOST_NODES = 64  # MAX_NUMNODES
_MOST_PAGES = 1 << 24


def _nodes_at(task: Task, address: int, most: int) -> int:
    """A mask of nodes of `most` - 1 bits. Raises EINVAL, also for nodes that no machine has; EFAULT."""
    if most == 1 or not address:
        return 0
    if not 1 <= most <= 8 * PAGE + 1:
        raise LinuxError(Errno.EINVAL)
    bits = most - 1
    mask = int.from_bytes(task.space.load(address, (bits + 63) // 64 * 8), "little") & (1 << bits) - 1
    if mask >> _MOST_NODES:
        raise LinuxError(Errno.EINVAL)
    return mask


def _policy(mode: int, nodes: int) -> MemoryPolicy | None:
    """What a mode with its flags and a mask of nodes come to; None for the default. Raises EINVAL."""
    flags, mode = mode & _OF_MODE, mode & ~_OF_MODE
    of_nodes = flags & (_STATIC | _RELATIVE)
    wrong = mode > _WEIGHTED_INTERLEAVE or of_nodes == _STATIC | _RELATIVE
    if wrong or (flags & _BALANCING and mode not in (_BIND, _PREFERRED_MANY)):
        raise LinuxError(Errno.EINVAL)
    if mode == _DEFAULT:
        if nodes:
            raise LinuxError(Errno.EINVAL)
        return None
    if mode == _PREFERRED and not nodes:
        mode = _LOCAL
    if mode == _LOCAL:
        if nodes or of_nodes:
            raise LinuxError(Errno.EINVAL)
        return MemoryPolicy(mode, 0)
    if not nodes or not (flags & _RELATIVE or nodes & _NODES):
        raise LinuxError(Errno.EINVAL)
    return MemoryPolicy(mode | flags, nodes if of_nodes else _NODES)


@call("set_mempolicy")
def set_mempolicy(task: Task, mode: Int, nodes: Address, most: Word) -> int:
    """set_mempolicy(2)"""
    if mode < 0:
        raise LinuxError(Errno.EINVAL)
    task.memory_policy = _policy(mode, _nodes_at(task, nodes, most))
    return 0


@call("get_mempolicy")
def get_mempolicy(task: Task, policy: Address, nodes: Address, most: Word, address: Address, flags: Word) -> int:
    """get_mempolicy(2)"""
    if nodes and not most:
        raise LinuxError(Errno.EINVAL)
    mode, mask = _asked_for(task, address, flags)
    if policy:
        task.space.store_words(policy, "i", mode)
    if nodes:
        size = (most + 62) // 64 * 8
        if size > PAGE:
            raise LinuxError(Errno.EINVAL)
        task.space.store(nodes, mask.to_bytes(size, "little") if size else b"")
    return 0


def _asked_for(task: Task, address: int, flags: int) -> tuple[int, int]:
    if flags & ~(_NODE | _ADDRESS | _ALLOWED) or (flags & _ALLOWED and flags & (_NODE | _ADDRESS)):
        raise LinuxError(Errno.EINVAL)
    if flags & _ALLOWED:
        return _DEFAULT, _NODES
    policy = task.memory_policy
    if flags & _ADDRESS:
        area = task.space.memory.area_at(address) if address < USER_SPACE else None
        if area is None:
            raise LinuxError(Errno.EFAULT)
        policy = note_of(area).policy
    elif address:
        raise LinuxError(Errno.EINVAL)
    mode, mask = (policy.mode, policy.nodes) if policy else (_DEFAULT, 0)
    if not flags & _NODE:
        return mode, mask
    if not flags & _ADDRESS and mode & ~_OF_MODE not in (_INTERLEAVE, _WEIGHTED_INTERLEAVE):
        raise LinuxError(Errno.EINVAL)
    return 0, mask  # the number of the node


@call("mbind")
def mbind(task: Task, address: Address, size: Size, mode: Word, nodes: Address, most: Word, flags: UInt) -> int:
    """mbind(2)"""
    if mode >= 1 << 31:
        raise LinuxError(Errno.EINVAL)
    mask = _nodes_at(task, nodes, most)
    if flags & ~(_STRICT | _MOVE | _MOVE_ALL):
        raise LinuxError(Errno.EINVAL)
    if flags & _MOVE_ALL:
        raise LinuxError(Errno.EPERM)
    end = _end(address, size)
    if end == address:
        return 0
    policy = _policy(mode, mask)
    if not task.space.is_mapped(address, end):
        raise LinuxError(Errno.EFAULT)
    task.space.set_policy(address, end, policy)
    return 0


def _end(address: int, size: int) -> int:
    """The end of whole pages. Raises EINVAL at no page's beginning, and beyond the last address."""
    end = address + page_ceil(size) % ADDRESS_SPACE
    if address % PAGE or end >= ADDRESS_SPACE:
        raise LinuxError(Errno.EINVAL)
    return end


@call("set_mempolicy_home_node")
def set_mempolicy_home_node(task: Task, address: Address, size: Size, node: Word, flags: Word) -> int:
    """set_mempolicy_home_node(2): the only node is the home of all memory that is bound."""
    if address % PAGE or flags or node:
        raise LinuxError(Errno.EINVAL)
    end = _end(address, size)
    if end == address:
        return 0
    areas = task.space.memory.areas_within(address, min(end, USER_SPACE))
    policies = [policy for area in areas if (policy := note_of(area).policy)]
    if not policies:
        raise LinuxError(Errno.ENOENT)
    if any(policy.mode & ~_OF_MODE not in (_BIND, _PREFERRED_MANY) for policy in policies):
        raise LinuxError(Errno.EOPNOTSUPP)
    return 0


@call("migrate_pages")
def migrate_pages(task: Task, pid: Int, most: Word, old: Address, new: Address) -> int:
    """migrate_pages(2): nothing is elsewhere."""
    _nodes_at(task, old, most)
    target = _nodes_at(task, new, most)
    if pid:
        reachable(task, pid)
    if target & ~_NODES:
        raise LinuxError(Errno.EPERM)
    if not target:
        raise LinuxError(Errno.EINVAL)
    return 0


@call("move_pages")
def move_pages(task: Task, pid: Int, count: Word, pages: Address, nodes: Address, status: Address, flags: Flags) -> int:
    """move_pages(2): the node of pages that have memory is 0, as before."""
    if flags & ~(_MOVE | _MOVE_ALL):
        raise LinuxError(Errno.EINVAL)
    if flags & _MOVE_ALL:
        raise LinuxError(Errno.EPERM)
    space = reachable(task, pid).space if pid else task.space
    for index in range(min(count, _MOST_PAGES)):
        task.space.work.charge(PER_ITEM)
        if task.space.work.is_ending():
            break
        (address,) = task.space.load_words(pages + 8 * index, "Q")
        if nodes and task.space.load_words(nodes + 4 * index, "i")[0]:
            raise LinuxError(Errno.ENODEV)
        task.space.store_words(status + 4 * index, "i", _state(space, address))
    return 0


def _state(space: UserSpace, address: int) -> int:
    """The node of a page, or the error that stands for it."""
    start = page_floor(address)
    if start >= USER_SPACE or space.memory.area_at(start) is None:
        return -Errno.EFAULT
    return 0 if space.present(start, start + PAGE) == b"\1" else -Errno.ENOENT
