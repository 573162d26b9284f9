"""Components: plain classes and functions that a recipe names and sets.

A component (a model, a loss, an optimizer …) is a class or function whose signature is its configuration:
what comes before the bare `*` is given by the code that builds it (the *context*: `inputs`, `outputs` …),
what comes after it is set by the user, with types, defaults and the docstring read from the code.

In a recipe, and in Python alike, a component is written in one of four ways:

    mlp                                       a name
    {mlp: {hidden: [64, 32]}}                 a name and arguments
    {"mypackage.nets:Tree": {depth: 4}}       any class or function, by import path
    MLP(30, 1)                                an object (in Python only)

A class or function that can be imported is stored as its import path, so that a recipe file can hold it.

registry: the slots of a recipe, names and import paths; `tools.trust` says which may be imported.
specification: what is written of a component, and the settings of its signature. dotted: their names.
resolve: from a specification to the object, and the mistakes. arguments: the types of settings. May import
`tools` and `errors`, and never torch. A new kind of component is an entry of `registry.KINDS`.
"""

from handrail.components.arguments import Slot
from handrail.components.registry import (
    KINDS,
    Component,
    Kind,
    available,
    component,
    find,
    import_path,
    snake_case,
)
from handrail.components.resolve import build, explain, resolve, resolve_arguments
from handrail.components.specification import (
    hints,
    is_object,
    is_placeholder,
    parse,
    settings,
    show_value,
    slot_of,
    type_words,
)

__all__ = ["KINDS", "Component", "Kind", "Slot", "available", "build", "component", "explain", "find"]
__all__ += ["hints", "import_path", "is_object", "is_placeholder", "parse", "resolve", "resolve_arguments"]
__all__ += ["settings", "show_value", "slot_of", "snake_case", "type_words"]
