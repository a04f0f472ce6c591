// The table of the product's tools.
#pragma once

#include "server/mcp/registry.hpp"

namespace dyad::server::mcp {

std::span<const Tool> product_tools();

}  // namespace dyad::server::mcp
