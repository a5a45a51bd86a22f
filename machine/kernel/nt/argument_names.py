"""Names of the constants that arguments of Windows' system calls are made of (Microsoft's ntifs.h, wdm.h, winnt.h).

The form is that of `machine.kernel.constant_tables`.
"""

from __future__ import annotations

from machine.kernel.constant_tables import ConstantTables

_GENERIC = """GENERIC_READ=0x80000000 GENERIC_WRITE=0x40000000 GENERIC_EXECUTE=0x20000000 GENERIC_ALL=0x10000000
    MAXIMUM_ALLOWED=0x2000000 ACCESS_SYSTEM_SECURITY=0x1000000 SYNCHRONIZE=0x100000 WRITE_OWNER=0x80000
    WRITE_DAC=0x40000 READ_CONTROL=0x20000 DELETE=0x10000 """

nt_constants = ConstantTables(
    {
        # --- access masks, by type of object
        "access": _GENERIC,
        "file": f"""FILE_ALL_ACCESS=0x1f01ff {_GENERIC} FILE_READ_DATA=1 FILE_WRITE_DATA=2 FILE_APPEND_DATA=4
            FILE_READ_EA=8 FILE_WRITE_EA=0x10 FILE_EXECUTE=0x20 FILE_DELETE_CHILD=0x40 FILE_READ_ATTRIBUTES=0x80
            FILE_WRITE_ATTRIBUTES=0x100""",
        "key": f"""KEY_ALL_ACCESS=0xf003f KEY_READ=0x20019 KEY_WRITE=0x20006 {_GENERIC} KEY_QUERY_VALUE=1
            KEY_SET_VALUE=2 KEY_CREATE_SUB_KEY=4 KEY_ENUMERATE_SUB_KEYS=8 KEY_NOTIFY=0x10 KEY_CREATE_LINK=0x20
            KEY_WOW64_64KEY=0x100 KEY_WOW64_32KEY=0x200""",
        "event": f"EVENT_ALL_ACCESS=0x1f0003 {_GENERIC} EVENT_QUERY_STATE=1 EVENT_MODIFY_STATE=2",
        "mutant": f"MUTANT_ALL_ACCESS=0x1f0001 {_GENERIC} MUTANT_QUERY_STATE=1",
        "semaphore": f"SEMAPHORE_ALL_ACCESS=0x1f0003 {_GENERIC} SEMAPHORE_QUERY_STATE=1 SEMAPHORE_MODIFY_STATE=2",
        "timer": f"TIMER_ALL_ACCESS=0x1f0003 {_GENERIC} TIMER_QUERY_STATE=1 TIMER_MODIFY_STATE=2",
        "section": f"""SECTION_ALL_ACCESS=0xf001f {_GENERIC} SECTION_QUERY=1 SECTION_MAP_WRITE=2 SECTION_MAP_READ=4
            SECTION_MAP_EXECUTE=8 SECTION_EXTEND_SIZE=0x10""",
        "process": f"""PROCESS_ALL_ACCESS=0x1fffff {_GENERIC} PROCESS_TERMINATE=1 PROCESS_CREATE_THREAD=2
            PROCESS_SET_SESSIONID=4 PROCESS_VM_OPERATION=8 PROCESS_VM_READ=0x10 PROCESS_VM_WRITE=0x20
            PROCESS_DUP_HANDLE=0x40 PROCESS_CREATE_PROCESS=0x80 PROCESS_SET_QUOTA=0x100 PROCESS_SET_INFORMATION=0x200
            PROCESS_QUERY_INFORMATION=0x400 PROCESS_SUSPEND_RESUME=0x800 PROCESS_QUERY_LIMITED_INFORMATION=0x1000""",
        "thread": f"""THREAD_ALL_ACCESS=0x1fffff {_GENERIC} THREAD_TERMINATE=1 THREAD_SUSPEND_RESUME=2 THREAD_ALERT=4
            THREAD_GET_CONTEXT=8 THREAD_SET_CONTEXT=0x10 THREAD_SET_INFORMATION=0x20 THREAD_QUERY_INFORMATION=0x40
            THREAD_SET_THREAD_TOKEN=0x80 THREAD_IMPERSONATE=0x100 THREAD_DIRECT_IMPERSONATION=0x200
            THREAD_SET_LIMITED_INFORMATION=0x400 THREAD_QUERY_LIMITED_INFORMATION=0x800 THREAD_RESUME=0x1000""",
        "token": f"""TOKEN_ALL_ACCESS=0xf01ff {_GENERIC} TOKEN_ASSIGN_PRIMARY=1 TOKEN_DUPLICATE=2 TOKEN_IMPERSONATE=4
            TOKEN_QUERY=8 TOKEN_QUERY_SOURCE=0x10 TOKEN_ADJUST_PRIVILEGES=0x20 TOKEN_ADJUST_GROUPS=0x40
            TOKEN_ADJUST_DEFAULT=0x80 TOKEN_ADJUST_SESSIONID=0x100""",
        "directory": f"""DIRECTORY_ALL_ACCESS=0xf000f {_GENERIC} DIRECTORY_QUERY=1 DIRECTORY_TRAVERSE=2
            DIRECTORY_CREATE_OBJECT=4 DIRECTORY_CREATE_SUBDIRECTORY=8""",
        # --- other sets of bits
        "object": """OBJ_INHERIT=2 OBJ_PERMANENT=0x10 OBJ_EXCLUSIVE=0x20 OBJ_CASE_INSENSITIVE=0x40 OBJ_OPENIF=0x80
            OBJ_OPENLINK=0x100 OBJ_KERNEL_HANDLE=0x200 OBJ_FORCE_ACCESS_CHECK=0x400""",
        "share": "FILE_SHARE_READ=1 FILE_SHARE_WRITE=2 FILE_SHARE_DELETE=4",
        "create": """FILE_DIRECTORY_FILE=1 FILE_WRITE_THROUGH=2 FILE_SEQUENTIAL_ONLY=4 FILE_NO_INTERMEDIATE_BUFFERING=8
            FILE_SYNCHRONOUS_IO_ALERT=0x10 FILE_SYNCHRONOUS_IO_NONALERT=0x20 FILE_NON_DIRECTORY_FILE=0x40
            FILE_CREATE_TREE_CONNECTION=0x80 FILE_COMPLETE_IF_OPLOCKED=0x100 FILE_NO_EA_KNOWLEDGE=0x200
            FILE_RANDOM_ACCESS=0x800 FILE_DELETE_ON_CLOSE=0x1000 FILE_OPEN_BY_FILE_ID=0x2000
            FILE_OPEN_FOR_BACKUP_INTENT=0x4000 FILE_NO_COMPRESSION=0x8000 FILE_RESERVE_OPFILTER=0x100000
            FILE_OPEN_REPARSE_POINT=0x200000""",
        "attribute": """FILE_ATTRIBUTE_READONLY=1 FILE_ATTRIBUTE_HIDDEN=2 FILE_ATTRIBUTE_SYSTEM=4
            FILE_ATTRIBUTE_DIRECTORY=0x10 FILE_ATTRIBUTE_ARCHIVE=0x20 FILE_ATTRIBUTE_NORMAL=0x80
            FILE_ATTRIBUTE_TEMPORARY=0x100 FILE_ATTRIBUTE_REPARSE_POINT=0x400""",
        "page": """PAGE_NOACCESS=1 PAGE_READONLY=2 PAGE_READWRITE=4 PAGE_WRITECOPY=8 PAGE_EXECUTE=0x10
            PAGE_EXECUTE_READ=0x20 PAGE_EXECUTE_READWRITE=0x40 PAGE_EXECUTE_WRITECOPY=0x80 PAGE_GUARD=0x100
            PAGE_NOCACHE=0x200 PAGE_WRITECOMBINE=0x400""",
        "mem": """MEM_COMMIT=0x1000 MEM_RESERVE=0x2000 MEM_DECOMMIT=0x4000 MEM_RELEASE=0x8000 MEM_RESET=0x80000
            MEM_TOP_DOWN=0x100000 MEM_WRITE_WATCH=0x200000 MEM_PHYSICAL=0x400000 MEM_LARGE_PAGES=0x20000000""",
        "sec": """SEC_FILE=0x800000 SEC_IMAGE=0x1000000 SEC_PROTECTED_IMAGE=0x2000000 SEC_RESERVE=0x4000000
            SEC_COMMIT=0x8000000 SEC_NOCACHE=0x10000000 SEC_LARGE_PAGES=0x80000000""",
        "duplicate": "DUPLICATE_CLOSE_SOURCE=1 DUPLICATE_SAME_ACCESS=2 DUPLICATE_SAME_ATTRIBUTES=4",
        "key_option": """REG_OPTION_NON_VOLATILE=0 REG_OPTION_VOLATILE=1 REG_OPTION_CREATE_LINK=2
            REG_OPTION_BACKUP_RESTORE=4 REG_OPTION_OPEN_LINK=8""",
        "thread_flags": """THREAD_CREATE_FLAGS_CREATE_SUSPENDED=1 THREAD_CREATE_FLAGS_SKIP_THREAD_ATTACH=2
            THREAD_CREATE_FLAGS_HIDE_FROM_DEBUGGER=4""",
        # --- values
        "disposition": """FILE_SUPERSEDE FILE_OPEN FILE_CREATE FILE_OPEN_IF FILE_OVERWRITE FILE_OVERWRITE_IF""",
        "inherit": "ViewShare=1 ViewUnmap=2",
        "event_type": "NotificationEvent SynchronizationEvent",
        "timer_type": "NotificationTimer SynchronizationTimer",
        "wait_type": "WaitAll WaitAny",
        "reg": """REG_NONE REG_SZ REG_EXPAND_SZ REG_BINARY REG_DWORD REG_DWORD_BIG_ENDIAN REG_LINK REG_MULTI_SZ
            REG_RESOURCE_LIST REG_FULL_RESOURCE_DESCRIPTOR REG_RESOURCE_REQUIREMENTS_LIST REG_QWORD""",
        "key_class": """KeyBasicInformation KeyNodeInformation KeyFullInformation KeyNameInformation
            KeyCachedInformation KeyFlagsInformation KeyVirtualizationInformation KeyHandleTagsInformation""",
        "value_class": """KeyValueBasicInformation KeyValueFullInformation KeyValuePartialInformation
            KeyValueFullInformationAlign64 KeyValuePartialInformationAlign64""",
        "file_class": """FileDirectoryInformation=1 FileFullDirectoryInformation=2 FileBothDirectoryInformation=3
            FileBasicInformation=4 FileStandardInformation=5 FileInternalInformation=6 FileEaInformation=7
            FileAccessInformation=8 FileNameInformation=9 FileRenameInformation=10 FileLinkInformation=11
            FileNamesInformation=12 FileDispositionInformation=13 FilePositionInformation=14
            FileModeInformation=16 FileAlignmentInformation=17 FileAllInformation=18 FileAllocationInformation=19
            FileEndOfFileInformation=20 FileAlternateNameInformation=21 FileStreamInformation=22
            FilePipeInformation=23 FilePipeLocalInformation=24 FileCompletionInformation=30
            FileNetworkOpenInformation=34 FileAttributeTagInformation=35 FileIdBothDirectoryInformation=37
            FileIdFullDirectoryInformation=38 FileIoCompletionNotificationInformation=41
            FileIoPriorityHintInformation=43 FileNormalizedNameInformation=48 FileIdInformation=59
            FileDispositionInformationEx=64 FileRenameInformationEx=65 FileStatInformation=68""",
        "volume_class": """FileFsVolumeInformation=1 FileFsLabelInformation=2 FileFsSizeInformation=3
            FileFsDeviceInformation=4 FileFsAttributeInformation=5 FileFsControlInformation=6
            FileFsFullSizeInformation=7 FileFsObjectIdInformation=8 FileFsSectorSizeInformation=11""",
        "memory_class": """MemoryBasicInformation MemoryWorkingSetInformation MemoryMappedFilenameInformation
            MemoryRegionInformation MemoryWorkingSetExInformation MemorySharedCommitInformation
            MemoryImageInformation""",
        "section_class": "SectionBasicInformation SectionImageInformation SectionRelocationInformation",
        "object_class": """ObjectBasicInformation ObjectNameInformation ObjectTypeInformation ObjectTypesInformation
            ObjectHandleFlagInformation""",
        "process_class": """ProcessBasicInformation=0 ProcessQuotaLimits=1 ProcessIoCounters=2 ProcessVmCounters=3
            ProcessTimes=4 ProcessBasePriority=5 ProcessRaisePriority=6 ProcessDebugPort=7
            ProcessDefaultHardErrorMode=12 ProcessPriorityClass=18 ProcessHandleCount=20 ProcessAffinityMask=21
            ProcessSessionInformation=24 ProcessWow64Information=26 ProcessImageFileName=27
            ProcessBreakOnTermination=29 ProcessDebugObjectHandle=30 ProcessDebugFlags=31 ProcessExecuteFlags=34
            ProcessCookie=36 ProcessImageInformation=37 ProcessImageFileNameWin32=43 ProcessMitigationPolicy=52
            ProcessCommandLineInformation=60""",
        "thread_class": """ThreadBasicInformation ThreadTimes ThreadPriority ThreadBasePriority ThreadAffinityMask
            ThreadImpersonationToken ThreadDescriptorTableEntry ThreadEnableAlignmentFaultFixup
            ThreadEventPair_Reusable ThreadQuerySetWin32StartAddress ThreadZeroTlsCell ThreadPerformanceCount
            ThreadAmILastThread ThreadIdealProcessor ThreadPriorityBoost ThreadSetTlsArrayAddress ThreadIsIoPending
            ThreadHideFromDebugger ThreadBreakOnTermination=18 ThreadIsTerminated=20 ThreadSuspendCount=35
            ThreadNameInformation=38""",
        "system_class": """SystemBasicInformation=0 SystemProcessorInformation=1
            SystemPerformanceInformation=2
            SystemTimeOfDayInformation=3 SystemProcessInformation=5 SystemProcessorPerformanceInformation=8
            SystemModuleInformation=11 SystemHandleInformation=16 SystemInterruptInformation=23
            SystemKernelDebuggerInformation=35 SystemRegistryQuotaInformation=37
            SystemCurrentTimeZoneInformation=44 SystemEmulationBasicInformation=62
            SystemEmulationProcessorInformation=63 SystemExtendedHandleInformation=64
            SystemLogicalProcessorInformation=73 SystemFirmwareTableInformation=76
            SystemDynamicTimeZoneInformation=102 SystemCodeIntegrityInformation=103
            SystemLogicalProcessorAndGroupInformation=107
            SystemCpuSetInformation=175""",
        "token_class": """TokenUser=1 TokenGroups=2 TokenPrivileges=3 TokenOwner=4 TokenPrimaryGroup=5
            TokenDefaultDacl=6
            TokenSource=7 TokenType=8 TokenImpersonationLevel=9 TokenStatistics=10 TokenRestrictedSids=11
            TokenSessionId=12 TokenElevationType=18 TokenLinkedToken=19 TokenElevation=20 TokenIntegrityLevel=25""",
        "event_class": "EventBasicInformation",
    }
)
