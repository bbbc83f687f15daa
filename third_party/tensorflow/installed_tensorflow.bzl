"""A repository made of the TensorFlow that is installed: `@tensorflow//:framework`."""

_BUILD = """\
package(default_visibility = ["//visibility:public"])

# Headers as system headers, which do not warn.
cc_library(
    name = "framework",
    srcs = ["{framework}"],
    hdrs = glob(["include/**"]),
    defines = {defines},
    includes = ["include"],
)
"""

_FLAGS = """\
\"\"\"The flags that `python -m mallenet_tf.ops.build` compiles with.\"\"\"

BASE_FLAGS = {base_flags}
"""

def _installed_tensorflow_impl(context):
    root = context.path(Label("//:WORKSPACE")).dirname
    python = context.os.environ.get("PYTHON_BIN_PATH") or context.which("python3")
    if not python:
        fail("python3 was not found; name an interpreter that has TensorFlow in PYTHON_BIN_PATH")

    # The rule runs again when one of these files changes.
    for name in ["commands", "compilers", "installed_tensorflow"]:
        context.path(Label("//:mallenet_tf/ops/native_build/%s.py" % name))
    finder = context.path(Label("//third_party/tensorflow:find.py"))
    result = context.execute([python, "-B", finder, str(root)])
    if result.return_code:
        fail(result.stderr)
    found = json.decode(result.stdout)
    context.symlink(found["folder"] + "/include", "include")
    context.symlink(found["folder"] + "/" + found["framework"], found["framework"])
    context.file("BUILD", _BUILD.format(**found))
    context.file("flags.bzl", _FLAGS.format(**found))

installed_tensorflow = repository_rule(
    implementation = _installed_tensorflow_impl,
    doc = "Links the installed TensorFlow's headers and framework library; downloads nothing.",
    environ = ["PYTHON_BIN_PATH", "PATH"],
    local = True,
)
