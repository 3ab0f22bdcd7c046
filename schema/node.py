"""Node: whatever has an identifier by which it can be asked for again. Who finds it is ``schema.nodes``."""

import strawberry


@strawberry.interface(description="Whatever can be asked for again by its identifier.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque, unique over the whole hub, and the same for ever.")
