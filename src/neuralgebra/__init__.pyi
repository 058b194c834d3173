# Made by tools/make_stubs.py from the tables of api.py.
from neuralgebra import api as api
from neuralgebra import errors as errors
from neuralgebra.functions.activation import Activation as Activation
from neuralgebra.network.layers import Affine as Affine
from neuralgebra.network.composed import Batched as Batched
from neuralgebra.network.composed import BlockDiagonal as BlockDiagonal
from neuralgebra.network.layers import Concatenate as Concatenate
from neuralgebra.network.convolution import Convolution as Convolution
from neuralgebra.network.linear import Dense as Dense
from neuralgebra.network.linear import Diagonal as Diagonal
from neuralgebra.network.layers import Elementwise as Elementwise
from neuralgebra.network.linear import Kronecker as Kronecker
from neuralgebra.network.layers import Maximum as Maximum
from neuralgebra.network.layers import Mixing as Mixing
from neuralgebra.network.layers import Multiply as Multiply
from neuralgebra.network.network import Network as Network
from neuralgebra.network.builder import Node as Node
from neuralgebra.network.layers import PowerProduct as PowerProduct
from neuralgebra.network.composed import Product as Product
from neuralgebra.network.layers import Select as Select
from neuralgebra.network.layers import Softmax as Softmax
from neuralgebra.network.linear import Spread as Spread
from neuralgebra.network.composed import Transposed as Transposed
from neuralgebra.functions.activation import activation as activation
from neuralgebra.functions.activation import registered as activations
from neuralgebra.files.sklearn import from_sklearn as from_sklearn
from neuralgebra.files.torch import from_torch as from_torch
from neuralgebra.files.registry import load as load
from neuralgebra.algebra.sorting import median as median
from neuralgebra.network.combine import parallel as parallel
from neuralgebra.algebra.polynomials import polynomial as polynomial
from neuralgebra.algebra.polynomials import product as product
from neuralgebra.functions.custom import register_expression as register
from neuralgebra.algebra.sorting import sorting as sorting
from neuralgebra.network.combine import stack as stack

__version__: str
