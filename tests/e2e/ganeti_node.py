#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/e2e/ganeti_node.py - what a Ganeti node does with an instance, by Ganeti's own code.
#
# usage: ganeti_node.py OPERATION[=ARGUMENT]...      (see the functions below)
#
# Ganeti's modules are in PYTHONPATH; GANETI_ROOTDIR and GANETI_HOSTNAME say which node
# this is.  The instance is described by INSTANCE_NAME, _KERNEL, _INITRD, _ARGS, _DISK
# and, for a card, _BRIDGE.
import os
import sys
from unittest import mock

# For Ganeti's talk between nodes, of which there is none here.
for name in ("OpenSSL", "pycurl"):
    sys.modules[name] = mock.MagicMock()

from ganeti import constants, objects, pathutils, utils  # noqa: E402
from ganeti.hypervisor import hv_base, hv_xen  # noqa: E402


def describe():
    env = os.environ
    hvparams = dict(constants.HVC_DEFAULTS[constants.HT_XEN_PVM])
    hvparams.update({
        constants.HV_XEN_CMD: constants.XEN_CMD_XL,
        constants.HV_KERNEL_PATH: env["INSTANCE_KERNEL"],
        constants.HV_INITRD_PATH: env["INSTANCE_INITRD"],
        constants.HV_KERNEL_ARGS: env["INSTANCE_ARGS"],
    })
    beparams = dict(constants.BEC_DEFAULTS)
    beparams.update({constants.BE_MAXMEM: 256, constants.BE_MINMEM: 192,
                     constants.BE_VCPUS: 2})
    nics = []
    if env.get("INSTANCE_BRIDGE"):
        nics.append(objects.NIC(
            mac="00:16:3e:00:00:77", ip=None, name=None, uuid="nic",
            nicparams={constants.NIC_MODE: constants.NIC_MODE_BRIDGED,
                       constants.NIC_LINK: env["INSTANCE_BRIDGE"],
                       constants.NIC_VLAN: ""}))
    instance = objects.Instance(name=env["INSTANCE_NAME"], hvparams=hvparams,
                                beparams=beparams, nics=nics, disks=[],
                                hypervisor=constants.HT_XEN_PVM)
    disk = objects.Disk(dev_type=constants.DT_PLAIN, mode=constants.DISK_RDWR,
                        logical_id=("vg", "lv"))
    return instance, [(disk, env["INSTANCE_DISK"], None)]


class Node:
    def __init__(self):
        self.hv = hv_xen.XenPvmHypervisor()
        self.instance, self.disks = describe()
        self.params = self.instance.hvparams
        for path in (pathutils.XEN_CONFIG_DIR, pathutils.RUN_DIR,
                     pathutils.LOG_XEN_DIR):
            os.makedirs(path, exist_ok=True)

    def config(self):
        return self.hv.MigrationInfo(self.instance)

    def state(self):
        return self.hv.GetInstanceInfo(self.instance.name, self.params)

    # ---- Operations ------------------------------------------------------

    def verify(self):
        problem = self.hv.Verify(self.params)
        assert problem is None, problem

    def info(self):
        info = self.hv.GetNodeInfo(self.params)
        for key in ("memory_total", "memory_free", "memory_dom0", "cpu_total",
                    "cpu_nodes", "cpu_sockets", "cpu_dom0"):
            assert isinstance(info[key], int) and info[key] > 0, (key, info)
        assert len(info[constants.HV_NODEINFO_KEY_VERSION]) == 2, info

    def runs(self, memory=None):
        assert self.hv.ListInstances(self.params) == [self.instance.name]
        _, domid, mib, _, state, _ = self.state()
        assert domid > 0 and (not memory or mib == int(memory)), (domid, mib)
        assert state == hv_base.HvInstanceState.RUNNING, state

    def off(self):
        assert self.state()[4] == hv_base.HvInstanceState.SHUTDOWN, self.state()

    def none(self):
        assert self.hv.GetAllInstancesInfo(self.params) == []

    def start(self):
        self.hv.StartInstance(self.instance, self.disks, False)

    def stop(self):
        self.hv.StopInstance(self.instance, timeout=300)
        assert not os.path.exists(
            utils.PathJoin(pathutils.XEN_CONFIG_DIR, self.instance.name))

    def force(self):
        self.hv.StopInstance(self.instance, force=True)

    def reboot(self):
        self.hv.RebootInstance(self.instance)

    def balloon(self, mib):
        self.hv.BalloonInstanceMemory(self.instance, int(mib))
        assert "memory = %s\n" % mib in self.config()

    def accept(self):
        self.hv.AcceptInstance(self.instance, "", "127.0.0.1")

    def migrate(self):
        self.hv.MigrateInstance("cluster", self.instance, "127.0.0.1", True)
        self.hv.FinalizeMigrationSource(self.instance, True, None)

    def refused(self):
        try:
            self.hv.MigrateInstance("cluster", self.instance, "127.0.0.1", True)
        except hv_xen.errors.HypervisorError:
            self.hv.FinalizeMigrationSource(self.instance, False, None)
        else:
            raise AssertionError("it was migrated")

    def arrived(self):
        config = "# of the node it came from\n"
        self.hv.FinalizeMigrationDst(self.instance, config, True)
        assert self.config() == config

    def missed(self):
        self.hv.FinalizeMigrationDst(self.instance, "", False)


def main():
    node = Node()
    for word in sys.argv[1:]:
        name, _, argument = word.partition("=")
        getattr(node, name)(*([argument] if argument else []))


main()
