// The handlers of the product's tools, prompts and resources, as its tables name them
// (product.cpp). Each answers its call.
#pragma once

#include "server/mcp/registry.hpp"

namespace dyad::server::mcp {

void memory_get(Call& call);
void memory_list(Call& call);
void memory_search(Call& call);
void memory_history(Call& call);
void memory_changes(Call& call);
void context_pack(Call& call);
void mode_get(Call& call);
void agents_list(Call& call);
void response_query(Call& call);

void memory_set(Call& call);
void memory_patch(Call& call);
void memory_delete(Call& call);
void memory_restore(Call& call);
void mode_set(Call& call);
void claim_acquire(Call& call);
void claim_release(Call& call);
void response_record(Call& call);

void list_resources(Call& call);
void read_context_resource(Call& call);
void read_modes_resource(Call& call);
void complete(Call& call);
std::string changed_resource(const EventView& event);

void resume_work(Call& call);
void hand_off(Call& call);
void explain_decision(Call& call);
void review_changes(Call& call);

// Whoever calls is present for a while (limits::mcp_present_ms), for everybody who asks who is.
void attend(Call& call);

}  // namespace dyad::server::mcp
