"""Errors of the commands that start the whole system."""

from ops.broker_node import BrokerError
from ops.cli.session import Fixes
from ops.deployment import DeploymentError
from ops.jars import JarError

STARTING: Fixes = {
    JarError: "check the network, or set TURNSTILE_MIRROR to a Maven mirror",
    BrokerError: "",
    DeploymentError: "",
}
