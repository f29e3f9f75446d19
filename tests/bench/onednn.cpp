#include <dlfcn.h>

#include <memory>
#include <unordered_map>
#include <utility>

#include <oneapi/dnnl/dnnl.hpp>

#include "tests/bench/libraries.h"

namespace pullback::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& queue() {
  static dnnl::stream stream(cpu());
  return stream;
}

memory::desc described(const memory::dims& dims, Tag tag) {
  return {dims, memory::data_type::f32, tag};
}

memory wrapped(const memory::desc& desc, const float* values) {
  return {desc, cpu(), const_cast<float*>(values)};  // oneDNN has no const memory; what is read stays as it is
}

/// A primitive and its arguments in the form that the C interface takes: the C++ one builds a table at each call.
class Execution {
 public:
  Execution(dnnl::primitive primitive, std::unordered_map<int, memory> arguments)
      : primitive_(std::move(primitive)), memories_(std::move(arguments)) {
    for (const auto& [index, argument] : memories_) arguments_.push_back({index, argument.get()});
  }
  void operator()() const {
    const auto count = static_cast<int>(arguments_.size());
    dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), queue().get(), count, arguments_.data()),
                            "oneDNN: a primitive failed");
  }
  const memory& argument(int index) const { return memories_.at(index); }

 private:
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

memory::desc matrices(int batch, int rows, int columns, bool transposed) {
  const Tag plain = batch > 1 ? Tag::abc : Tag::ab, swapped = batch > 1 ? Tag::acb : Tag::ba;
  memory::dims dims{rows, columns};
  if (batch > 1) dims.insert(dims.begin(), batch);
  return described(dims, transposed ? swapped : plain);
}

void multiply_by_sgemm(const ProductSizes& s, const ProductData& data) {
  for (std::ptrdiff_t i = 0; i < s.batch; ++i)
    dnnl_sgemm(s.transposed_a ? 'T' : 'N', s.transposed_b ? 'T' : 'N', s.m, s.n, s.k, 1, data.a + i * s.m * s.k,
               s.transposed_a ? s.m : s.k, data.b + i * s.k * s.n, s.transposed_b ? s.k : s.n, 0,
               data.c + i * s.m * s.n, s.n);
}

/// The operands as they lie at first, and the same descriptions with the layout left to oneDNN.
struct ConvolutionShapes {
  memory::desc x, w, y, any_x, any_w, any_y;
  memory::dims strides, dilates, padding;
};

ConvolutionShapes shapes_of(const ConvolutionSizes& s) {
  const memory::dims x{s.batch, s.in, s.height, s.width}, y{s.batch, s.out, s.result(s.height), s.result(s.width)};
  const bool grouped = s.groups > 1;
  const memory::dims w = grouped ? memory::dims{s.groups, s.out / s.groups, s.in / s.groups, s.kernel, s.kernel}
                                 : memory::dims{s.out, s.in, s.kernel, s.kernel};
  return {described(x, Tag::nchw),   described(w, grouped ? Tag::goihw : Tag::oihw),
          described(y, Tag::nchw),   described(x, Tag::any),
          described(w, Tag::any),    described(y, Tag::any),
          {s.stride, s.stride},      {s.dilation - 1, s.dilation - 1},  // it counts the elements between
          {s.padding(), s.padding()}};
}

memory brought_to(const memory::desc& wanted, const memory::desc& plain, const float* values) {
  memory from = wrapped(plain, values), to(wanted, cpu());
  dnnl::reorder(from, to).execute(queue(), from, to);
  queue().wait();
  return to;
}

LibraryConvolution finished(Execution execution, int result, const memory::desc& plain, const char* implementation) {
  const auto shared = std::make_shared<Execution>(std::move(execution));
  return {{std::string("oneDNN ") + implementation, [shared] { (*shared)(); }}, [shared, result, plain] {
            std::vector<float> values(plain.get_size() / sizeof(float));
            memory from = shared->argument(result), to(plain, cpu(), values.data());
            dnnl::reorder(from, to).execute(queue(), from, to);
            queue().wait();
            return values;
          }};
}

}  // namespace

std::string start_onednn(int threads) {
  // Debian's build runs on OpenMP, whose number of threads must be set in the runtime that oneDNN has loaded.
  if (const auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) set(threads);
  const dnnl_version_t* version = dnnl_version();
  return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}

std::optional<Peer> onednn_product(const ProductSizes& s, const ProductData& data) {
  const memory::desc a = matrices(s.batch, s.m, s.k, s.transposed_a), b = matrices(s.batch, s.k, s.n, s.transposed_b),
                     c = matrices(s.batch, s.m, s.n, false);
  const dnnl::matmul::primitive_desc description({a, b, c}, cpu());
  const auto primitive = std::make_shared<Execution>(
      dnnl::matmul(description), std::unordered_map<int, memory>{{DNNL_ARG_SRC, wrapped(a, data.a)},
                                                                 {DNNL_ARG_WEIGHTS, wrapped(b, data.b)},
                                                                 {DNNL_ARG_DST, wrapped(c, data.c)}});
  return faster_of({"oneDNN matmul", [primitive] { (*primitive)(); }},
                   {"oneDNN sgemm", [s, data] { multiply_by_sgemm(s, data); }});
}

std::optional<LibraryConvolution> onednn_convolution(const ConvolutionSizes& sizes, Pass pass, const float* x,
                                                     const float* w, const float* dy) {
  const ConvolutionShapes s = shapes_of(sizes);
  const auto kind = dnnl::algorithm::convolution_auto;
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, kind, s.any_x, s.any_w, s.any_y, s.strides, s.dilates, s.padding, s.padding},
      cpu());
  if (pass == Pass::forward)
    return finished({dnnl::convolution_forward(forward),
                     {{DNNL_ARG_SRC, brought_to(forward.src_desc(), s.x, x)},
                      {DNNL_ARG_WEIGHTS, brought_to(forward.weights_desc(), s.w, w)},
                      {DNNL_ARG_DST, memory(forward.dst_desc(), cpu())}}},
                    DNNL_ARG_DST, s.y, forward.impl_info_str());
  if (pass == Pass::input_gradient) {
    const dnnl::convolution_backward_data::primitive_desc backward(
        {kind, s.any_x, s.any_w, s.any_y, s.strides, s.dilates, s.padding, s.padding}, cpu(), forward);
    return finished({dnnl::convolution_backward_data(backward),
                     {{DNNL_ARG_DIFF_SRC, memory(backward.diff_src_desc(), cpu())},
                      {DNNL_ARG_WEIGHTS, brought_to(backward.weights_desc(), s.w, w)},
                      {DNNL_ARG_DIFF_DST, brought_to(backward.diff_dst_desc(), s.y, dy)}}},
                    DNNL_ARG_DIFF_SRC, s.x, backward.impl_info_str());
  }
  const dnnl::convolution_backward_weights::primitive_desc backward(
      {kind, s.any_x, s.any_w, s.any_y, s.strides, s.dilates, s.padding, s.padding}, cpu(), forward);
  return finished({dnnl::convolution_backward_weights(backward),
                   {{DNNL_ARG_SRC, brought_to(backward.src_desc(), s.x, x)},
                    {DNNL_ARG_DIFF_WEIGHTS, memory(backward.diff_weights_desc(), cpu())},
                    {DNNL_ARG_DIFF_DST, brought_to(backward.diff_dst_desc(), s.y, dy)}}},
                  DNNL_ARG_DIFF_WEIGHTS, s.w, backward.impl_info_str());
}

}  // namespace pullback::bench
