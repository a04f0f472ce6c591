// What /mcp offers: the tools, resources and prompts of the memory.
#pragma once

#include "server/mcp/registry.hpp"

namespace dyad::server::mcp {

const Registry& product_registry();

}  // namespace dyad::server::mcp
