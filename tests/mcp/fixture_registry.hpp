// The tools, resources and prompts that @modelcontextprotocol/conformance@0.2.0-alpha.12 calls.
#pragma once

#include "server/mcp/registry.hpp"

namespace dyad::test {

const server::mcp::Registry& fixture_registry();

}  // namespace dyad::test
