// What the product offers to assistants at /mcp: its tools, resources and prompts.
#pragma once

#include "server/mcp/registry.hpp"

namespace dyad::server::mcp {

const Registry& product_registry();

}  // namespace dyad::server::mcp
