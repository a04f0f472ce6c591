// The tools of other memory servers, over this memory: who configured one of them changes the URL
// and nothing else. Same names, same arguments, same answers.
//
//     reference    the nine of @modelcontextprotocol/server-memory (2026.8.31): an entity is a
//     context,
//                  a relation is one (import/graph.hpp), so that writers of different things never
//                  meet; those of the same entity add to what is stored, however many they are
//     openmemory   the five of OpenMemory: a memory is the context `memory:ID`; the id is made from
//                  the words, so that the same words are one memory
#pragma once

#include "server/mcp/registry.hpp"

namespace dyad::server::mcp {

const Registry& reference_registry();
const Registry& openmemory_registry();

}  // namespace dyad::server::mcp
