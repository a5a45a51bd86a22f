"""What lives on the hypervisor's side of the machine: its memory, and the tools that make code for vmx-root mode."""
